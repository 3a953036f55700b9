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

/* Whether the path names the row or its section; the empty one names all. */
static bool
is_below(struct span key, struct span path)
{
	return path.n == 0 ||
	       (span_has_prefix(key, path) && (key.n == path.n || key.p[path.n] == '.'));
}

/* Writes {"gateway":{...}}: rows of one section stand together in the table. */
static void
write_settings(const struct conf *conf, struct span path, struct jsonw *w)
{
	struct span section = { 0 };

	jsonw_object(w);
	for (size_t i = 0; i < settings_count(); i++) {
		struct span key = span_cstr(settings[i].key);
		struct span own = span_make(key.p, strcspn(key.p, "."));

		if (!is_below(key, path))
			continue;
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

/* Writes the members that say where values came from and what changes them. */
static void
write_origins(const struct conf *conf, struct span path, struct jsonw *w)
{
	jsonw_key(w, "sources");
	jsonw_object(w);
	for (size_t i = 0; i < settings_count(); i++) {
		if (!is_below(span_cstr(settings[i].key), path))
			continue;
		jsonw_key(w, settings[i].key);
		jsonw_cstr(w, conf->sources[i]);
	}
	jsonw_object_end(w);
	jsonw_key(w, "changedBy");
	jsonw_object(w);
	for (size_t i = 0; i < settings_count(); i++) {
		if (!is_below(span_cstr(settings[i].key), path))
			continue;
		jsonw_key(w, settings[i].key);
		jsonw_cstr(w, setting_change_name(settings[i].changed_by));
	}
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
	write_settings(conf, SPAN(""), w);
	write_origins(conf, SPAN(""), w);
	jsonw_object_end(w);
}

bool
conf_write_part(const struct conf *conf, struct span path, struct buf *out)
{
	struct jsonw w;
	bool is_there = false;

	for (size_t i = 0; i < settings_count() && !is_there; i++)
		is_there = is_below(span_cstr(settings[i].key), path);
	if (!is_there)
		return false;
	jsonw_init(&w, out);
	jsonw_object(&w);
	jsonw_key(&w, "config");
	write_settings(conf, path, &w);
	write_origins(conf, path, &w);
	jsonw_object_end(&w);
	return true;
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
		write_settings(conf, SPAN(""), &w);
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
