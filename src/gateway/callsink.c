/*
 * What people are told of calls that come to nothing.
 */
#include "gateway/callsink.h"

static const struct {
	enum error_code code;
	const char *reason, *sentence;
} failures[CALL_FAILURES] = {
	[CALL_PROVIDER_GONE] = { ERROR_UNAVAILABLE, "provider-gone",
	    "The provider of this method has gone; whether it did what was asked is not known" },
	[CALL_NO_ROOM] = { ERROR_UNAVAILABLE, "overloaded",
	    "The provider's worker has no room for the request; try again in a moment" },
	[CALL_TOO_LARGE] = { ERROR_INVALID_REQUEST, "too-large",
	    "The request would reach its provider longer than policy.maxPayload; send less" },
	[CALL_BUSY] = { ERROR_UNAVAILABLE, "provider-busy",
	    "Too many requests wait for a provider of this method; try again in a moment" },
	[CALL_NO_METHOD] = { ERROR_METHOD_NOT_FOUND, NULL, "No provider has this method" },
	[CALL_NO_MEMORY] = { ERROR_INTERNAL_ERROR, "out-of-memory",
	    "The gateway is out of memory; try again later" },
};

const char *
call_failure_reason(enum call_failure failure)
{
	return failures[failure].reason;
}

const char *
call_failure_sentence(enum call_failure failure)
{
	return failures[failure].sentence;
}

enum error_code
call_failure_code(enum call_failure failure)
{
	return failures[failure].code;
}
