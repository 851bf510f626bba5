#include <stddef.h>
#include <stdint.h>

/* compiler-rt/lib/fuzzer/FuzzerDriver.cpp: libFuzzer for a program with a main of its own. */
int LLVMFuzzerRunDriver(int *argc, char ***argv,
                        int (*one)(const uint8_t *data, size_t size));

/* A file in memory, which readers open by /proc/self/fd; -1 where there is none. */
int memory_file(void);
