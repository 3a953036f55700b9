/*
 * What is written can be read again, word for word; what a person changed in between is taken as
 * systemd would take it, as far as a gateway is concerned. Drop-ins are not looked at.
 */
#include "cli/unit.h"

#include <errno.h>
#include <inttypes.h>

#include "base/alloc.h"

#define MARK	  "# Written by \"lurkbot daemon install\""
#define HOME	  "LURKBOT_HOME="
#define WORKSPACE "LURKBOT_WORKSPACE="

enum { FIRST_OPTION = 3 };

int
unit_add_word(struct unit *u, struct span word)
{
	char **words;

	if (u->count == UNIT_WORDS_MAX)
		return -E2BIG;
	words = mem_resize(u->words, (u->count + 1) * sizeof(*words));
	if (words == NULL)
		return -ENOMEM;
	u->words = words;
	u->words[u->count] = mem_strndup(word);
	if (u->words[u->count] == NULL)
		return -ENOMEM;
	u->count++;
	return 0;
}

void
unit_fini(struct unit *u)
{
	for (size_t i = 0; i < u->count; i++)
		mem_free(u->words[i]);
	mem_free(u->words);
	mem_free(u->home);
	mem_free(u->workspace);
	*u = (struct unit){ 0 };
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Variables are expanded in the words of a command line behind its first, and nowhere else. */
static int
append_escaped(struct buf *out, const char *text, bool is_quoted, bool is_expanded)
{
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return -EINVAL;
		if (is_quoted && (*p == '"' || *p == '\\'))
			buf_append_byte(out, '\\');
		if (*p == '%' || (is_expanded && *p == '$'))
			buf_append_byte(out, *p);
		buf_append_byte(out, *p);
	}
	return 0;
}

static int
append_quoted(struct buf *out, const char *before, const char *text, bool is_expanded)
{
	int r;

	buf_append_byte(out, '"');
	buf_append_cstr(out, before);
	r = append_escaped(out, text, true, is_expanded);
	buf_append_byte(out, '"');
	return r;
}

static int
append_command(const struct unit *u, struct buf *out)
{
	int r = 0;

	buf_append_cstr(out, "ExecStart=");
	for (size_t i = 0; r == 0 && i < u->count; i++) {
		if (i > 0)
			buf_append_byte(out, ' ');
		r = append_quoted(out, "", u->words[i], i > 0);
	}
	buf_append_byte(out, '\n');
	return r;
}

static int
append_places(const struct unit *u, struct buf *out)
{
	int r = 0;

	if (u->home != NULL) {
		buf_append_cstr(out, "Environment=");
		r = append_quoted(out, HOME, u->home, false);
		buf_append_byte(out, '\n');
	}
	if (r == 0 && u->workspace != NULL) {
		buf_append_cstr(out, "Environment=");
		r = append_quoted(out, WORKSPACE, u->workspace, false);
		buf_append_cstr(out, "\nWorkingDirectory=");
		if (r == 0)
			r = append_escaped(out, u->workspace, false, false);
		buf_append_byte(out, '\n');
	}
	return r;
}

/* As in contrib/systemd/user; 2 is a configuration that is wrong, which no restart can mend. */
static void
append_service(const struct unit *u, struct buf *out)
{
	buf_printf(out,
	    "Restart=on-failure\n"
	    "RestartSec=1\n"
	    "RestartPreventExitStatus=2\n"
	    "WatchdogSec=30\n"
	    "TimeoutStopSec=%" PRIu64 "\n"
	    "TimeoutAbortSec=5\n"
	    "KillMode=mixed\n"
	    "FileDescriptorStoreMax=16\n"
	    "LimitCORE=0\n"
	    "LockPersonality=yes\n"
	    "NoNewPrivileges=yes\n"
	    "RestrictRealtime=yes\n"
	    "RestrictSUIDSGID=yes\n"
	    "SystemCallArchitectures=native\n"
	    "\n"
	    "[Install]\n"
	    "WantedBy=default.target\n",
	    u->stop_s);
}

int
unit_write(const struct unit *u, struct buf *out)
{
	int r;

	buf_append_cstr(out,
	    MARK "; \"lurkbot daemon uninstall\" removes it.\n"
		 "# To change more than install does: systemctl --user edit lurkbot-gateway\n"
		 "[Unit]\n"
		 "Description=LurkBot Gateway\n"
		 "Documentation=man:lurkbot-gateway(8) man:lurkbot-config(5)\n"
		 "StartLimitIntervalSec=60\n"
		 "StartLimitBurst=10\n"
		 "\n"
		 "[Service]\n"
		 "Type=notify\n");
	r = append_command(u, out);
	if (r == 0)
		r = append_places(u, out);
	buf_append_cstr(out, "ExecReload=");
	if (r == 0)
		r = append_quoted(out, "", u->count > 0 ? u->words[0] : "", false);
	buf_append_cstr(out, " gateway reload\n");
	append_service(u, out);
	return r;
}

/* --- reading ---------------------------------------------------------------------------------- */

/*
 * Takes the next word off the line into out. 1; 0: there is none; -EINVAL: a quote does not end.
 * As systemd, it keeps what follows a backslash, but for the letters that mean a control character.
 */
static int
take_word(struct span *line, struct buf *out, bool is_expanded)
{
	char quote = '\0';

	buf_reset(out);
	*line = span_trim(*line);
	if (line->n == 0)
		return 0;
	while (line->n > 0 && (quote != '\0' || (line->p[0] != ' ' && line->p[0] != '\t'))) {
		char c = line->p[0];
		bool has_next = line->n > 1;

		*line = span_skip(*line, 1);
		if (c == quote) {
			quote = '\0';
		} else if (quote == '\0' && (c == '"' || c == '\'')) {
			quote = c;
		} else if (has_next && (c == '\\' || ((c == '%' || (is_expanded && c == '$')) &&
							 line->p[0] == c))) {
			buf_append_byte(out, line->p[0]);
			*line = span_skip(*line, 1);
		} else {
			buf_append_byte(out, c);
		}
	}
	return quote == '\0' ? 1 : -EINVAL;
}

static int
read_command(struct unit *u, struct span line)
{
	struct buf word = { 0 };
	int r;

	for (size_t i = 0; i < u->count; i++)
		mem_free(u->words[i]);
	u->count = 0; /* the last ExecStart counts */
	while ((r = take_word(&line, &word, u->count > 0)) == 1) {
		r = buf_status(&word);
		if (r == 0)
			r = unit_add_word(u, buf_span(&word));
		if (r < 0)
			break;
	}
	buf_fini(&word);
	return r;
}

static int
keep(char **place, struct span value)
{
	char *copy = mem_strndup(value);

	if (copy == NULL)
		return -ENOMEM;
	mem_free(*place);
	*place = copy;
	return 0;
}

static int
read_environment(struct unit *u, struct span line)
{
	struct buf word = { 0 };
	int r;

	while ((r = take_word(&line, &word, false)) == 1) {
		struct span text = buf_span(&word);

		r = buf_status(&word);
		if (r == 0 && span_has_prefix(text, SPAN(HOME)))
			r = keep(&u->home, span_skip(text, strlen(HOME)));
		else if (r == 0 && span_has_prefix(text, SPAN(WORKSPACE)))
			r = keep(&u->workspace, span_skip(text, strlen(WORKSPACE)));
		if (r < 0)
			break;
	}
	buf_fini(&word);
	return r;
}

/* Takes a line, with those that it goes on in behind a backslash, into out. False: no more. */
static bool
take_line(struct span *text, struct buf *out)
{
	bool goes_on = true;

	buf_reset(out);
	if (text->n == 0)
		return false;
	while (goes_on && text->n > 0) {
		const char *end = memchr(text->p, '\n', text->n);
		struct span line =
		    span_make(text->p, end != NULL ? (size_t)(end - text->p) : text->n);

		*text = span_skip(*text, min_size(line.n + 1, text->n));
		goes_on = line.n > 0 && line.p[line.n - 1] == '\\';
		if (goes_on)
			line.n--;
		buf_append_span(out, line);
		if (goes_on)
			buf_append_byte(out, ' ');
	}
	return true;
}

static int
read_line(struct unit *u, struct span line)
{
	if (span_has_prefix(line, SPAN("ExecStart=")))
		return read_command(u, span_skip(line, strlen("ExecStart=")));
	if (span_has_prefix(line, SPAN("Environment=")))
		return read_environment(u, span_skip(line, strlen("Environment=")));
	return 0;
}

int
unit_read(struct unit *ret, struct span text)
{
	struct buf line = { 0 };
	int r = 0;

	*ret = (struct unit){ 0 };
	while (r == 0 && take_line(&text, &line)) {
		r = buf_status(&line);
		if (r == 0)
			r = read_line(ret, span_trim(buf_span(&line)));
	}
	buf_fini(&line);
	if (r == 0 && (ret->count < FIRST_OPTION || strcmp(ret->words[1], "gateway") != 0 ||
			  strcmp(ret->words[2], "start") != 0))
		r = -EINVAL;
	return r;
}

bool
unit_is_ours(struct span text)
{
	return span_has_prefix(text, SPAN(MARK));
}
