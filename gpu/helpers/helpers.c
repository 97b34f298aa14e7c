// What both helper programs need.
#include "helpers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void* grow(void* array, size_t count, size_t size) {
  void* grown = realloc(array, count * size);
  if (grown != NULL) return grown;
  fprintf(stderr, "%s: out of memory\n", kProgram);
  exit(1);
}

const char* reason(int error) {
  static char text[128];
  snprintf(text, sizeof text, "%s", strerror(error));
  text[0] = (char)tolower((unsigned char)text[0]);
  return text;
}
