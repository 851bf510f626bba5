#include <stddef.h>
#include <stdint.h>

/* compiler-rt/lib/fuzzer/FuzzerDriver.cpp: libFuzzer for a program with a main of its own. */
int LLVMFuzzerRunDriver(int *argc, char ***argv,
                        int (*one)(const uint8_t *data, size_t size));
