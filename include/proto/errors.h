/*
 * The closed set of error codes of the protocol (PROTOCOL.md, section 2, "Errors").
 */
#pragma once

enum error_code {
	ERROR_NOT_LINKED,
	ERROR_NOT_PAIRED,
	ERROR_AGENT_TIMEOUT,
	ERROR_INVALID_REQUEST,
	ERROR_UNAVAILABLE,
	ERROR_METHOD_NOT_FOUND,
	ERROR_INTERNAL_ERROR,
	ERROR_CODE_COUNT
};

/* The code as it stands on the wire, "INVALID_REQUEST"; static. */
const char *error_code_name(enum error_code);
