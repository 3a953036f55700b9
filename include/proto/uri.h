/*
 * The parts of RFC 3986 that a server meets: host and port, the request target (RFC 9112 section
 * 3.2), an origin (RFC 6454 section 7), percent-encoding.
 *
 * Nothing is copied or decoded unless the name says so: the spans that are returned point into
 * the text that was given.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"

enum { URI_PORT_NONE = -1 };

/* host[:port], as in a Host field (RFC 9110 section 7.2). */
struct uri_authority {
	struct span host; /* "[...]" with its brackets when it is an IP literal; never empty */
	int port;	  /* 0..65535, or URI_PORT_NONE when absent or empty */
};

/* A request target in origin-form or absolute-form. */
struct uri_target {
	struct span authority; /* absolute-form: the host and port it names; else empty */
	struct span path;      /* begins with '/'; "/" when an absolute-form has none */
	struct span query;     /* what follows the first '?'; empty when there is none */
};

/* scheme://host[:port] and nothing else. */
struct uri_origin {
	struct span scheme;
	struct uri_authority authority;
};

/* Reads host[:port], no user information. 0, or -EINVAL for anything else, also for "". */
int uri_authority_parse(struct span text, struct uri_authority *ret) must_check;

/*
 * Reads a request target in origin-form ("/path?query") or absolute-form (http or https, RFC 9112
 * section 3.2.2). The path holds only what RFC 3986 allows there; the query also what browsers
 * leave unencoded ("[]{}|\^`"). Every '%' is followed by two hexadecimal digits. Returns 0 or
 * -EINVAL.
 */
int uri_target_parse(struct span text, struct uri_target *ret) must_check;

/* Reads one serialised origin. 0, or -EINVAL: "null", a list and a path are refused. */
int uri_origin_parse(struct span text, struct uri_origin *ret) must_check;

/*
 * Decodes %XX once; '+' stays '+'. out has room for cap bytes and is not terminated; it may not
 * overlap text. Returns 0 and the length; -EINVAL for a '%' without two hexadecimal digits and
 * for %00; -ENOSPC when it does not fit.
 */
int uri_decode(struct span text, char *out, size_t cap, size_t *ret_len) must_check;
