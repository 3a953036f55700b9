/*
 * Three columns for people; the verdicts are words, since colours are not for everybody.
 */
#include "cli/findings.h"

#include <stdarg.h>
#include <stdio.h>

#include "cli/jsonprint.h"
#include "cli/output.h"

enum { MESSAGE_MAX = 2048, VERDICT_WIDTH = 8, CHECK_WIDTH = 14 };

static const char *
finding_name(enum finding verdict)
{
	switch (verdict) {
	case FINDING_OK:
		return "ok";
	case FINDING_WARNING:
		return "warning";
	case FINDING_ERROR:
		return "error";
	}
	return "";
}

void
findings_init(struct findings *f, bool as_json)
{
	*f = (struct findings){ .as_json = as_json };
	jsonw_init(&f->json, &f->text);
	if (as_json) {
		jsonw_object(&f->json);
		jsonw_key(&f->json, "checks");
		jsonw_array(&f->json);
	}
}

static void
add_json(struct findings *f, enum finding verdict, const char *check, const char *advice,
    const char *message)
{
	jsonw_object(&f->json);
	jsonw_key(&f->json, "check");
	jsonw_cstr(&f->json, check);
	jsonw_key(&f->json, "verdict");
	jsonw_cstr(&f->json, finding_name(verdict));
	jsonw_key(&f->json, "message");
	jsonw_cstr(&f->json, message);
	if (advice != NULL) {
		jsonw_key(&f->json, "suggestion");
		jsonw_cstr(&f->json, advice);
	}
	jsonw_object_end(&f->json);
}

static void
add_lines(struct findings *f, enum finding verdict, const char *check, const char *advice,
    const char *message)
{
	buf_printf(
	    &f->text, "%-*s %-*s ", VERDICT_WIDTH, finding_name(verdict), CHECK_WIDTH, check);
	jsonprint_plain(&f->text, span_cstr(message));
	buf_append_byte(&f->text, '\n');
	if (advice != NULL)
		buf_printf(&f->text, "%*s -> %s\n", VERDICT_WIDTH + 1 + CHECK_WIDTH, "", advice);
}

void
findings_add(struct findings *f, enum finding verdict, const char *check, const char *advice,
    const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	f->warnings += verdict == FINDING_WARNING;
	f->errors += verdict == FINDING_ERROR;
	if (f->as_json)
		add_json(f, verdict, check, advice, message);
	else
		add_lines(f, verdict, check, advice, message);
}

enum cli_status
findings_print(struct findings *f)
{
	enum cli_status status;

	if (f->as_json) {
		jsonw_array_end(&f->json);
		jsonw_key(&f->json, "warnings");
		jsonw_uint(&f->json, f->warnings);
		jsonw_key(&f->json, "errors");
		jsonw_uint(&f->json, f->errors);
		jsonw_object_end(&f->json);
		buf_append_byte(&f->text, '\n');
	} else {
		buf_printf(&f->text, "\n%u error%s, %u warning%s\n", f->errors,
		    f->errors == 1 ? "" : "s", f->warnings, f->warnings == 1 ? "" : "s");
	}
	status = output_take(&f->text);
	return status == CLI_OK && f->errors > 0 ? CLI_FAILED : status;
}
