#include "base/check.h"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>

namespace usbtwin {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
  std::abort();
}

void CheckFailed(const char* file, int line, const char* condition, int64_t left, int64_t right) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s (%" PRId64 " vs %" PRId64 ")\n", file, line,
               condition, left, right);
  std::abort();
}

}  // namespace usbtwin
