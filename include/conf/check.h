/*
 * What the strings of settings must look like: each check says whether this one does.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* A host name or a numeric address without brackets: what getaddrinfo(3) may be given. */
bool check_host(struct span);

/*
 * An origin as RFC 6454 section 6.2 writes it, scheme://host[:port], nothing behind it. "null" and
 * patterns are none.
 */
bool check_origin(struct span);

/* The path of a file: absolute, or below the user's home by ~/; empty stands for the default. */
bool check_file(struct span);

/* An IP address, or a network such as 10.0.0.0/8. */
bool check_network(struct span);

/* Nothing, or at most 256 visible ASCII characters. */
bool check_word(struct span);

/* A name of an event, or a pattern over them: session.message, session.*, or *. */
bool check_pattern(struct span);

/* The name or number of a user or group; empty stands for the default. */
bool check_account(struct span);
