/*
 * Configuration from everywhere at once. The input has four parts, divided by lines of "%%": a
 * configuration file, the lines of a .env file, variables of the environment, flags. What must hold
 * for any bytes: a report with a line for each error, or a configuration whose every value is
 * within the bounds of the table and that, written down and loaded again, is the same.
 *
 * Files are unnamed and in memory.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/environment.h"
#include "fuzz.h"
#include "proto/utf8.h"

enum {
	INPUT_MAX = 2048,
	LINES_MAX = 32,
	PATH_BYTES = 64,
};

/* A file that can be opened by its path, and what stands in it. */
struct file {
	int fd;
	char path[PATH_BYTES];
};

static void
file_open(struct file *file)
{
	file->fd = memfd_create("conf", MFD_CLOEXEC);
	must(file->fd >= 0);
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
}

static void
file_write(const struct file *file, struct span text)
{
	must(ftruncate(file->fd, 0) == 0);
	must(pwrite(file->fd, text.p, text.n, 0) == (ssize_t)text.n);
}

/* --- the input's parts -------------------------------------------------------------------- */

/* Takes what stands before the next "%%" line, or all that is left. */
static struct span
take_part(struct span *rest)
{
	static const char bar[] = "%%\n";
	const char *end = rest->n > 0 ? memmem(rest->p, rest->n, bar, sizeof(bar) - 1) : NULL;
	struct span part = *rest;

	if (end == NULL) {
		*rest = SPAN("");
		return part;
	}
	part.n = (size_t)(end - part.p);
	*rest = span_skip(*rest, part.n + sizeof(bar) - 1);
	return part;
}

/* The lines of a part as an array that ends with NULL; a line ends at a NUL, too. */
static size_t
split_lines(struct span part, char *lines[LINES_MAX + 1])
{
	size_t count = 0;

	while (part.n > 0 && count < LINES_MAX) {
		const char *end = memchr(part.p, '\n', part.n);
		size_t n = end != NULL ? (size_t)(end - part.p) : part.n;

		lines[count] = block_new(n + 1);
		memcpy(lines[count], part.p, n);
		lines[count++][n] = '\0';
		part = span_skip(part, n < part.n ? n + 1 : n);
	}
	lines[count] = NULL;
	return count;
}

static void
free_lines(char **lines)
{
	for (; *lines != NULL; lines++)
		free(*lines);
}

/* --- what must hold ----------------------------------------------------------------------- */

static void
check_report(const struct conf_report *report)
{
	struct span line;
	size_t cursor = 0, count = 0;

	must(buf_status(&report->text) == 0);
	must(utf8_is_valid(buf_span(&report->text)));
	while (conf_report_next(report, &cursor, &line)) {
		for (size_t i = 0; i < line.n; i++)
			must((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
		count++;
	}
	must(report->count >= CONF_REPORT_LINES_MAX || count == report->count);
}

static void
check_value(const struct conf *conf, const struct setting *s)
{
	const char *member = (const char *)conf + s->offset;
	int64_t integer = 0;
	char *text;

	must(conf_source(conf, s) != NULL);
	switch (s->type) {
	case SETTING_INT:
		memcpy(&integer, member, s->size);
		must(integer >= s->min && integer <= s->max);
		break;
	case SETTING_STRING:
		memcpy(&text, member, sizeof(text));
		must(text != NULL && utf8_is_valid(span_cstr(text)));
		break;
	case SETTING_BOOL:
		must(*member == 0 || *member == 1);
		break;
	case SETTING_ENUM:
	case SETTING_LIST:
	case SETTING_SECRET:
	case SETTING_TOKENS:
		break;
	}
}

static void
check_conf(const struct conf *conf)
{
	for (size_t i = 0; i < settings_count(); i++)
		check_value(conf, &settings[i]);
	must(conf->home[0] == '/' && conf->gateway.log_file[0] == '/');
}

/* All settings as the file that `config show` prints. */
static void
write_conf(const struct conf *conf, struct buf *out)
{
	conf_write(conf, out, false);
	must(buf_status(out) == 0);
}

/* A secret is not written, so what was written is refused. */
static bool
has_secrets(const struct conf *conf)
{
	return conf->gateway.auth_tokens.count > 0 || conf->gateway.auth_password.is_set;
}

/* Loads from a file alone what was written of a configuration, and writes that. */
static void
check_again(const struct file *file, const struct conf *conf)
{
	char *environ_[] = { NULL };
	struct conf_request request = {
		.home = conf->home, .config_file = file->path, .environ_ = environ_
	};
	struct buf text = { 0 }, again = { 0 };
	struct conf_report report;
	struct conf *loaded;

	write_conf(conf, &text);
	file_write(file, buf_span(&text));
	must(conf_load(&request, &loaded, &report) == 0 && report.count == 0);
	write_conf(loaded, &again);
	must(span_is_equal(buf_span(&text), buf_span(&again)));
	conf_free(loaded);
	conf_report_fini(&report);
	buf_fini(&text);
	buf_fini(&again);
}

static void
check_load(const struct file *file, struct span text, char *const *variables, char *const *flags,
    size_t flag_count)
{
	struct conf_request request = {
		.home = "/nowhere",
		.config_file = file->path,
		.flags = (const char *const *)flags,
		.flag_count = flag_count,
		.environ_ = variables,
	};
	struct conf_report report;
	struct conf *conf;
	int r;

	file_write(file, text);
	r = conf_load(&request, &conf, &report);
	check_report(&report);
	must(r == (report.count > 0 ? -EINVAL : 0));
	if (r == 0) {
		check_conf(conf);
		if (!has_secrets(conf))
			check_again(file, conf);
		conf_free(conf);
	}
	conf_report_fini(&report);
}

/* The .env file by itself: where it lies follows from LurkBot's home. */
static void
check_dotenv(const struct file *file, struct span text)
{
	struct conf_report report = { 0 };
	struct draft draft;

	file_write(file, text);
	must(draft_init(&draft, &report) == 0);
	environment_apply_file(&draft, file->path);
	must(draft.status == 0);
	check_report(&report);
	draft_fini(&draft);
	conf_report_fini(&report);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct file file;
	struct span rest = span_make((const char *)bytes, n);
	struct span json = take_part(&rest), dotenv = take_part(&rest);
	char *variables[LINES_MAX + 1], *flags[LINES_MAX + 1];
	size_t flag_count;

	if (n > INPUT_MAX)
		return 0;
	if (file.fd == 0)
		file_open(&file);
	(void)split_lines(take_part(&rest), variables);
	flag_count = split_lines(rest, flags);
	check_load(&file, json, variables, flags, flag_count);
	check_dotenv(&file, dotenv);
	free_lines(variables);
	free_lines(flags);
	return 0;
}
