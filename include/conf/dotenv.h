/*
 * The lines of a .env file:
 *
 *	# comment
 *	export NAME=value          # comment: a # after white space
 *	NAME='as it stands'
 *	NAME="with \n, \t, \", \\ and \$"
 *
 * White space around the equals sign and at both ends of a line does not count. No value spans
 * lines, and nothing is expanded.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

struct dotenv {
	struct span rest;
	unsigned line; /* of the line last given */
};

struct dotenv_entry {
	struct span name;  /* the line's first word where there is no name, inside the text */
	struct span value; /* unquoted, valid until the next call */
	unsigned line;
	const char *fault; /* NULL, or what is wrong with the line: a literal */
};

/* Begins to read the text, which must outlive the reader. */
void dotenv_open(struct dotenv *, struct span text);

/*
 * Gives the next line that is neither empty nor a comment. The value is put into the given buffer.
 * False: there are no more lines.
 */
bool dotenv_next(struct dotenv *, struct buf *value, struct dotenv_entry *ret);
