/* What a program asks of the callgrind it runs under. Built by harness/callgrind.py. */
#include <valgrind/callgrind.h>

/* Counts from now on. Before it, valgrind is five times as fast. */
void begin(void) { CALLGRIND_START_INSTRUMENTATION; }

/* Writes down, as `name`, what was counted since the mark before. */
void mark(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
