# an escape is read whose last digit lies behind the end
s/i + 2 < part.len/i + 1 < part.len/
