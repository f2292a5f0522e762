// CHECK: a condition that only a bug of ours can break, on in every build. A failure prints the
// place, the condition and the values, then aborts. Data from a peer is never CHECKed: it is
// rejected with an Error. State one condition per CHECK, so that the report names the culprit.
#pragma once

#include <cstdint>
#include <type_traits>

namespace usbtwin {

// Prints "file:line: CHECK failed: condition (left vs right)" to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, int64_t left,
                              int64_t right);

namespace internal {
template <class T>
constexpr int64_t CheckValue(const T& value) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<int64_t>(static_cast<std::underlying_type_t<T>>(value));
  } else {
    return static_cast<int64_t>(value);
  }
}
}  // namespace internal
}  // namespace usbtwin

#define CHECK(condition)                             \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::usbtwin::CheckFailed(__FILE__, __LINE__, #condition))
#define USBTWIN_CHECK_OP(left, op, right)                                     \
  (__builtin_expect((left)op(right), 1)                                       \
       ? static_cast<void>(0)                                                 \
       : ::usbtwin::CheckFailed(__FILE__, __LINE__, #left " " #op " " #right, \
                                ::usbtwin::internal::CheckValue(left),        \
                                ::usbtwin::internal::CheckValue(right)))
#define CHECK_EQ(left, right) USBTWIN_CHECK_OP(left, ==, right)
#define CHECK_NE(left, right) USBTWIN_CHECK_OP(left, !=, right)
#define CHECK_LE(left, right) USBTWIN_CHECK_OP(left, <=, right)
#define CHECK_LT(left, right) USBTWIN_CHECK_OP(left, <, right)
