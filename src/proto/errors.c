/*
 * The names of the error codes. A code that is added without its name does not compile.
 */
#include "proto/errors.h"

#include <assert.h>

#include "base/macros.h"

static const char *const names[] = {
	[ERROR_NOT_LINKED] = "NOT_LINKED",
	[ERROR_NOT_PAIRED] = "NOT_PAIRED",
	[ERROR_AGENT_TIMEOUT] = "AGENT_TIMEOUT",
	[ERROR_INVALID_REQUEST] = "INVALID_REQUEST",
	[ERROR_UNAVAILABLE] = "UNAVAILABLE",
	[ERROR_METHOD_NOT_FOUND] = "METHOD_NOT_FOUND",
	[ERROR_INTERNAL_ERROR] = "INTERNAL_ERROR",
};

static_assert(ARRAY_LEN(names) == ERROR_CODE_COUNT, "each error code has a name");

const char *
error_code_name(enum error_code code)
{
	return names[code];
}
