/*
 * The grammar that names of methods and events share, and the patterns over it.
 *
 *	name     [A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*     at most 128 bytes
 *	pattern  name  |  name.*  |  *
 *
 * `session.*` stands for all that lies below session, at any depth, but not for session itself.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

enum { NAME_MAX_BYTES = 128 };

/* Whether it is a name of a method or an event. */
bool name_is_valid(struct span);

/* Whether it is a pattern. The name before ".*" may itself have NAME_MAX_BYTES bytes. */
bool pattern_is_valid(struct span);

/* Whether the name is one that the pattern stands for; both must be valid. */
bool pattern_matches(struct span pattern, struct span name);
