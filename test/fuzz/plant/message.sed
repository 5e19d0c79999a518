# an escape is read whose last digit lies behind the end
s/field.len - i < 3/field.len - i < 2/
