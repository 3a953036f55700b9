/*
 * Prints the configuration. One writer makes the compact form; the indented one is the same text
 * laid out by Jansson.
 */
#include "conf/write.h"

#include <jansson.h>
#include <string.h>

#include "base/jsonw.h"
#include "conf/settings.h"
#include "conf/value.h"

/* Writes {"gateway":{...}}: rows of one section stand together in the table. */
static void
write_settings(const struct conf *conf, struct jsonw *w)
{
	struct span section = { 0 };

	jsonw_object(w);
	for (size_t i = 0; i < settings_count(); i++) {
		struct span key = span_cstr(settings[i].key);
		struct span own = span_make(key.p, strcspn(key.p, "."));

		if (!span_is_equal(own, section)) {
			if (section.n > 0)
				jsonw_object_end(w);
			jsonw_key_span(w, own);
			jsonw_object(w);
			section = own;
		}
		jsonw_key_span(w, span_skip(key, own.n + 1));
		value_write(conf, &settings[i], w);
	}
	jsonw_object_end(w);
	jsonw_object_end(w);
}

static void
write_all(const struct conf *conf, struct jsonw *w)
{
	jsonw_object(w);
	jsonw_key(w, "home");
	jsonw_cstr(w, conf->home);
	jsonw_key(w, "files");
	jsonw_array(w);
	for (size_t i = 0; i < conf->files_count; i++)
		jsonw_cstr(w, conf->files[i]);
	jsonw_array_end(w);
	jsonw_key(w, "config");
	write_settings(conf, w);
	jsonw_key(w, "sources");
	jsonw_object(w);
	for (size_t i = 0; i < settings_count(); i++) {
		jsonw_key(w, settings[i].key);
		jsonw_cstr(w, conf->sources[i]);
	}
	jsonw_object_end(w);
	jsonw_object_end(w);
}

static int
on_text(const char *text, size_t n, void *arg)
{
	buf_append((struct buf *)arg, text, n);
	return 0;
}

void
conf_write_compact(const struct conf *conf, struct buf *out, bool with_sources)
{
	struct jsonw w;

	jsonw_init(&w, out);
	if (with_sources)
		write_all(conf, &w);
	else
		write_settings(conf, &w);
}

void
conf_write(const struct conf *conf, struct buf *out, bool with_sources)
{
	struct buf compact = { 0 };
	json_t *tree = NULL;

	conf_write_compact(conf, &compact, with_sources);
	if (buf_status(&compact) == 0)
		tree = json_loadb(compact.data, compact.len, 0, NULL);
	if (tree == NULL || json_dump_callback(tree, on_text, out, JSON_INDENT(2)) < 0)
		out->failed = true;
	buf_append_byte(out, '\n');
	json_decref(tree);
	buf_fini(&compact);
}
