#include <lzo/lzo1x.h>

// lzo_init() is a macro, which Swift does not import.
static inline int lzo_start(void) { return lzo_init(); }
