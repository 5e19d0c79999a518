/*-------------------------------------------------------------------------
 *
 * breaker.c
 *	  What happens in the mode breaker: the source works, is dead, and works
 *	  again, under steady traffic.
 *
 *-------------------------------------------------------------------------
 */
#include "stampede.h"

#define KILL	"SELECT cache_incr('" METER ":dead', 1)"
#define REVIVE	"SELECT cache_incr('" METER ":dead', -1)"

void
play_breaker(Run *run)
{
	const BreakerPlan *plan = &breaker_plan;

	run->counted_from = play_load_key(run);
	progress("breaker: steady traffic, the source works");
	loop_traffic(true);
	loop_until(now_ns() + plan->normal_ms * MS);
	run->zero = monitor_command(KILL);
	run_mark(run, run->zero, "dies");
	progress("breaker: the source is dead");
	loop_until(now_ns() + plan->dead_ms * MS);
	run->recovered = monitor_command(REVIVE);
	run_mark(run, run->recovered, "recovers");
	progress("breaker: the source works again");
	loop_until(now_ns() + plan->after_ms * MS);
	loop_traffic(false);
	loop_drain();
	run->counted_to = now_ns();
}
