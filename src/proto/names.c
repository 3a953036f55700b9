/*
 * Names are validated for every request and every event: one pass, no table, no locale.
 */
#include "proto/names.h"

static bool
is_part(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

bool
name_is_valid(struct span name)
{
	bool after_part = false;

	if (name.n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (is_part(name.p[i]))
			after_part = true;
		else if (name.p[i] == '.' && after_part)
			after_part = false;
		else
			return false;
	}
	/* Neither empty nor with a dot at its end. */
	return after_part;
}

static bool
ends_in_star(struct span pattern)
{
	return pattern.n > 0 && pattern.p[pattern.n - 1] == '*';
}

bool
pattern_is_valid(struct span pattern)
{
	if (!ends_in_star(pattern))
		return name_is_valid(pattern);
	if (pattern.n == 1)
		return true;
	return pattern.p[pattern.n - 2] == '.' &&
	       name_is_valid(span_make(pattern.p, pattern.n - 2));
}

bool
pattern_matches(struct span pattern, struct span name)
{
	if (!ends_in_star(pattern))
		return span_is_equal(pattern, name);
	/* What is before the star ends in the dot, or is empty. */
	return span_has_prefix(name, span_make(pattern.p, pattern.n - 1));
}
