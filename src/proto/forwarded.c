/*
 * Each proxy appends whom it heard from. So the list is read from its end, as far as those who wrote
 * it are trusted.
 */
#include "proto/forwarded.h"

#include <string.h>

bool
forwarded_is_trusted(const struct ip *ip, const char *const *trusted, size_t count)
{
	struct ip_network network;

	for (size_t i = 0; i < count; i++) {
		if (ip_network_parse(span_cstr(trusted[i]), &network) == 0 &&
		    ip_network_has(&network, ip))
			return true;
	}
	return false;
}

/* ADDRESS, IPV4:PORT, [IPV6] or [IPV6]:PORT. The port is of no interest. */
static int
read_element(struct span text, struct ip *ret)
{
	const char *end = NULL;

	if (text.n > 0 && text.p[0] == '[') {
		text = span_skip(text, 1);
		end = text.n > 0 ? memchr(text.p, ']', text.n) : NULL;
		if (end == NULL || (end + 1 < text.p + text.n && end[1] != ':'))
			return -1;
	} else if (text.n > 0) {
		end = memchr(text.p, ':', text.n);
		/* More than one colon: an IPv6 address without a port. */
		if (end != NULL &&
		    memchr(end + 1, ':', (size_t)(text.p + text.n - end) - 1) != NULL)
			end = NULL;
	}
	if (end != NULL)
		text.n = (size_t)(end - text.p);
	return ip_parse(text, ret);
}

/* Cuts the last element off the list. False: it is empty. */
static bool
take_last(struct span *list, struct span *ret)
{
	size_t from = list->n;

	if (list->n == 0)
		return false;
	while (from > 0 && list->p[from - 1] != ',')
		from--;
	*ret = span_trim(span_make(list->p + from, list->n - from));
	list->n = from > 0 ? from - 1 : 0;
	return true;
}

enum forwarded_verdict
forwarded_find(
    const struct http_head *head, const char *const *trusted, size_t count, struct ip *ret)
{
	enum forwarded_verdict verdict = FORWARDED_NONE;

	for (size_t i = head->header_count; i-- > 0;) {
		struct span list = head->headers[i].value, element;

		if (!span_is_equal_nocase(head->headers[i].name, SPAN("X-Forwarded-For")))
			continue;
		while (take_last(&list, &element)) {
			struct ip ip;

			if (element.n == 0)
				continue;
			if (read_element(element, &ip) != 0)
				return FORWARDED_BAD;
			*ret = ip;
			verdict = FORWARDED_CLIENT;
			if (!forwarded_is_trusted(&ip, trusted, count))
				return verdict;
		}
	}
	return verdict;
}
