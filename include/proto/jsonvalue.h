/*
 * What a JSON value is to those who read it in place: a kind and a run of bytes; and the bounds that
 * all of them share.
 */
#pragma once

#include <stdint.h>

#include "base/span.h"

enum {
	JSON_DEPTH_MAX = 64,  /* containers inside each other, the outermost counts as one */
	JSON_KEYS_MAX = 1024, /* the most keys of one object that are compared with each other */
	JSON_NUMBER_MAX = 64, /* bytes of a number: readers of long ones have had faults */
	JSON_FIELDS_MAX = 64, /* the most fields that one json_object_scan can look for */
};

/* The range in which a JSON number is an exact integer for every peer. */
#define JSON_INTEGER_MAX INT64_C(9007199254740992)

enum json_kind {
	JSON_ABSENT = 0,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* A value where it stands: text is its exact bytes, a string's quotes included. */
struct json_value {
	enum json_kind kind;
	struct span text;
};
