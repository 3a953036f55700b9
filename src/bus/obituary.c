/*
 * Ledger and directory know nothing of each other; here they meet.
 */
#include "bus/obituary.h"

#include "base/clock.h"
#include "bus/directory.h"

unsigned
obituary_write(const struct ledger *ledger, const struct directory *directory, unsigned slot,
    enum ledger_cause cause, const char *reason)
{
	struct ledger_line line = {
		.slot = (uint16_t)slot,
		.cause = (uint8_t)cause,
		.closed_ms = clock_real_ms(),
		.bytes_in = LEDGER_NOT_KNOWN,
		.bytes_out = LEDGER_NOT_KNOWN,
	};
	uint32_t cursor = 0;
	unsigned count = 0;

	ledger_set_text(line.reason, sizeof(line.reason), span_cstr(reason));
	while (directory_next(directory, slot, &cursor, &line.conn_id)) {
		ledger_write(ledger, &line);
		count++;
	}
	return count;
}
