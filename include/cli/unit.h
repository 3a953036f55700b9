/*
 * The user's unit of systemd that `lurkbot daemon install` writes, and reading it again: it is the
 * one place that remembers the options of the installed gateway, also where no systemd runs.
 *
 *	ExecStart="/usr/bin/lurkbot" "gateway" "start" "--port" "8080"
 *	Environment="LURKBOT_HOME=/home/ada/.lurkbot"
 *
 * Quoting as in systemd.syntax(7) and systemd.service(5): words in double quotes, a backslash
 * before a quote or a backslash, "%%" for "%", and "$$" for "$" where variables are expanded.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/span.h"

#define UNIT_NAME "lurkbot-gateway.service"

enum { UNIT_BYTES_MAX = 65536, UNIT_WORDS_MAX = 256 };

/* What a unit says. The strings are the struct's own. */
struct unit {
	char *home;	 /* LURKBOT_HOME; NULL: not said */
	char *workspace; /* LURKBOT_WORKSPACE, and the folder it starts in; NULL: not said */
	char **words;	 /* of ExecStart: program, "gateway", "start", options */
	size_t count;
	uint64_t stop_s; /* written only: how long a stop may take */
};

/* Appends a word, copied. 0; -ENOMEM; -E2BIG. */
int unit_add_word(struct unit *, struct span word) must_check;

/*
 * Appends the text of the unit. 0; -EINVAL: a control character in one of the strings, which could
 * not stand there. Out of memory sticks in the buffer.
 */
int unit_write(const struct unit *, struct buf *out) must_check;

/*
 * Reads a unit, also one that was edited. 0; -EINVAL: it has no ExecStart that runs "gateway
 * start", or quotes that do not end; -E2BIG; -ENOMEM. ret is to be freed by unit_fini in any case.
 */
int unit_read(struct unit *ret, struct span text) must_check;

/* Whether the text is one that unit_write wrote, perhaps edited since. */
bool unit_is_ours(struct span text);

/* Frees what it holds; harmless for a zeroed one. */
void unit_fini(struct unit *);
