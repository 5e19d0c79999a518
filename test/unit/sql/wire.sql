-- Each test returns ok or raises an error that says what does not hold.
SELECT test_resp(), test_url();
SELECT test_frame(), test_frame_damage(), test_message();
-- Formats do not change unnoticed.
SELECT encode(substr(test_frame_sample(), i, 32), 'hex') AS frame FROM generate_series(1, length(test_frame_sample()), 32) i;
SELECT test_message_sample() AS message;
