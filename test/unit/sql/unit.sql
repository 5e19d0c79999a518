-- Each test returns ok or raises an error that says what does not hold.
SELECT test_life(), test_frequency(), test_ghost(), test_guard();
SELECT test_arena(300000, 1), test_arena(300000, 2);
SELECT test_variants(), test_bounded(), test_cells(), test_modes(), test_damage();
SELECT test_random_sizes('s3fifo', 20000, 1), test_random_sizes('lru', 20000, 2);
SELECT test_export(), test_restore();
