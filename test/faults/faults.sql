-- What tests of races call; the functions are in the library only if it was
-- built with CPG_FAULTS=1.  See src/fault.h.
CREATE FUNCTION cachepg_fault_arm(point text, action text = 'wait', pid integer = 0) RETURNS void
LANGUAGE c STRICT AS 'cachepg', 'cachepg_fault_arm';
CREATE FUNCTION cachepg_fault_disarm(point text) RETURNS void
LANGUAGE c STRICT AS 'cachepg', 'cachepg_fault_disarm';
CREATE FUNCTION cachepg_fault_wake(point text) RETURNS void
LANGUAGE c STRICT AS 'cachepg', 'cachepg_fault_wake';
CREATE FUNCTION cachepg_fault_await(point text) RETURNS boolean
LANGUAGE c STRICT AS 'cachepg', 'cachepg_fault_await';
CREATE FUNCTION cachepg_fault_waiting(point text) RETURNS integer
LANGUAGE c STRICT AS 'cachepg', 'cachepg_fault_waiting';
