# a length is not compared with the bytes there are
s/(size_t) (r->end - r->at) < len/false/
