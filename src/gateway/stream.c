#include "gateway/stream.h"
#include "gateway/respond.h"
#include "gateway/connection.h"
void
stream_begin(struct connection *c, const struct http_head *head)
{
	(void)head;
	respond_error(c, 503, ERROR_UNAVAILABLE, "not yet", "", RESPOND_CLOSE);
}
