/* A plain C program with the floors in it: what a foreign process sees of them. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  void* library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) {
    fprintf(stderr, "usage: load-floors <library>; dlopen says: %s\n", argc == 2 ? dlerror() : "-");
    return 1;
  }
  int (*exercise)(const char*) = NULL;
  *(void**)&exercise = dlsym(library, "usbtwin_exercise_floors");
  if (exercise == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  const int bytes_count = exercise("12 00 00 00 24 00");
  if (bytes_count != 12) {
    fprintf(stderr, "the floors parsed %d bytes, expected 12\n", bytes_count);
    return 1;
  }
  return dlclose(library);
}
