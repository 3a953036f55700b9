/*
 * A folder with configuration files and an environment, from which tests load. In files and in
 * what reports should say @ stands for the folder:
 *
 *	@/system.json   in the place of /etc/lurkbot/config.json
 *	@/home          LURKBOT_HOME
 *	@               HOME
 */
#pragma once

#include "support_cmocka.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf.h"

enum { HOUSE_VARIABLES = 16, HOUSE_FLAGS = 16, HOUSE_PATH = 256 };

struct house {
	char dir[64];
	char system_file[HOUSE_PATH];
	char *variables[HOUSE_VARIABLES + 1];
	size_t variable_count;
	const char *flags[HOUSE_FLAGS];
	struct conf_request request;
	struct conf *conf;
	struct conf_report report;
};

/* The text with the folder in place of every @; to be freed. */
static inline char *
house_text(const struct house *h, const char *text)
{
	struct buf out = { 0 };
	char *result;

	for (; *text != '\0'; text++) {
		if (*text == '@')
			buf_append_cstr(&out, h->dir);
		else
			buf_append_byte(&out, *text);
	}
	result = buf_steal(&out, NULL);
	assert_non_null(result);
	return result;
}

/* Adds "NAME=value" to the environment. */
static inline void
house_variable(struct house *h, const char *entry)
{
	assert_true(h->variable_count < HOUSE_VARIABLES);
	h->variables[h->variable_count++] = house_text(h, entry);
}

/* Adds a flag, "gateway.port=1". */
static inline void
house_flag(struct house *h, const char *flag)
{
	assert_true(h->request.flag_count < HOUSE_FLAGS);
	h->flags[h->request.flag_count++] = flag;
}

/* Writes n bytes to a file below the folder. */
static inline void
house_bytes(const struct house *h, const char *name, const void *bytes, size_t n)
{
	char path[HOUSE_PATH];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", h->dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

/* Writes a file below the folder. */
static inline void
house_file(const struct house *h, const char *name, const char *text)
{
	char *whole = house_text(h, text);

	house_bytes(h, name, whole, strlen(whole));
	free(whole);
}

static inline int
house_open(void **state)
{
	struct house *h = calloc(1, sizeof(*h));
	char path[HOUSE_PATH];

	strcpy(h->dir, "/tmp/lurkbot-conf-XXXXXX");
	if (mkdtemp(h->dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/home", h->dir);
	snprintf(h->system_file, sizeof(h->system_file), "%s/system.json", h->dir);
	h->request = (struct conf_request){
		.system_file = h->system_file, .flags = h->flags, .environ_ = h->variables
	};
	house_variable(h, "LURKBOT_HOME=@/home");
	house_variable(h, "HOME=@");
	*state = h;
	return mkdir(path, 0700);
}

static inline int
house_remove(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static inline int
house_close(void **state)
{
	struct house *h = *state;

	conf_free(h->conf);
	conf_report_fini(&h->report);
	for (size_t i = 0; i < h->variable_count; i++)
		free(h->variables[i]);
	nftw(h->dir, house_remove, 8, FTW_DEPTH | FTW_PHYS);
	free(h);
	return 0;
}

/* Loads anew; what was loaded before is freed. */
static inline int
house_try(struct house *h)
{
	conf_free(h->conf);
	h->conf = NULL;
	conf_report_fini(&h->report);
	return conf_load(&h->request, &h->conf, &h->report);
}

/* Loads what must be right. */
static inline const struct conf_gateway *
house_load(struct house *h)
{
	int status = house_try(h);

	if (status != 0)
		print_error("%.*s", SPAN_ARGS(buf_span(&h->report.text)));
	assert_int_equal(status, 0);
	assert_int_equal(h->report.count, 0);
	return &h->conf->gateway;
}

/* Loads what must be wrong, and wants exactly these lines, each with its newline. */
static inline void
house_refuses(struct house *h, const char *lines)
{
	char *should = house_text(h, lines);
	size_t count = 0;

	assert_int_equal(house_try(h), -EINVAL);
	assert_null(h->conf);
	for (const char *p = should; *p != '\0'; p++)
		count += *p == '\n';
	if (!span_is(buf_span(&h->report.text), should))
		print_error("is:\n%.*sshould:\n%s", SPAN_ARGS(buf_span(&h->report.text)), should);
	assert_true(span_is(buf_span(&h->report.text), should));
	assert_int_equal(h->report.count, count);
	free(should);
}

/* Where the value of this setting came from, @ standing for the folder. */
static inline void
house_source(const struct house *h, const char *key, const char *source)
{
	char *should = house_text(h, source);

	assert_string_equal(conf_source(h->conf, settings_by_key(span_cstr(key))), should);
	free(should);
}

/* A test in a house of its own. */
#define house_test(test) cmocka_unit_test_setup_teardown(test, house_open, house_close)
