# one array too many may be open
s/resp->depth >= resp->limits.depth/resp->depth > resp->limits.depth/
