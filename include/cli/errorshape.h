/*
 * The protocol's ErrorShape {"code","message","details"?}, read where the gateway sends it: in a
 * response, in hello-error, in the body of an HTTP error.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"
#include "cli/status.h"

enum { ERRORSHAPE_WORD_MAX = 64, ERRORSHAPE_MESSAGE_MAX = 1024 };

/* What is too long is cut; what is missing is empty. */
struct errorshape {
	char code[ERRORSHAPE_WORD_MAX];	      /* "INVALID_REQUEST" */
	char reason[ERRORSHAPE_WORD_MAX];     /* details.reason */
	char message[ERRORSHAPE_MESSAGE_MAX]; /* as sent: escape it before printing */
};

/* Reads it from the JSON text of the object. 0; -EBADMSG: it is no object. */
int errorshape_read(struct span json, struct errorshape *ret) must_check;

/* The exit status of a verb that was answered so: CLI_UNAUTHORIZED or CLI_FAILED. */
enum cli_status errorshape_status(const struct errorshape *);
