// What both helper programs need.
#pragma once

#include <stddef.h>

// Stands before each message; the program's own.
extern const char kProgram[];

// realloc that ends the program when there is no memory.
void* grow(void* array, size_t count, size_t size);

// What errno says, in lower case; until the next call.
const char* reason(int error);
