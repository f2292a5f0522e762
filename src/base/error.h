// What went wrong with a conversation, as a value: which kind, in which phase, on which endpoint,
// after how many bytes. A device that answers CHECK CONDITION is not an Error: that conversation
// succeeded. Error is trivially copyable, so that a Result costs nothing on the good path: its text
// is a static template whose "{}" (decimal) and "{:x}" (hexadecimal) are filled from `values` only
// when somebody reads it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace usbtwin {

enum class ErrorKind : uint8_t {
  kStalled,       // the endpoint is halted, or the control request was refused
  kTimedOut,      // the deadline passed and the transfer was cancelled
  kCancelled,     // somebody asked for it to stop
  kDisconnected,  // the device is gone
  kOverflow,      // the device sent more than was asked for (babble)
  kFault,         // the bus or the host controller failed
  kProtocol,      // the device broke its protocol: wrong tag, signature, length
  kBusy,          // claimed by somebody else
  kDenied,        // no permission
  kNotFound,      // no such device, interface or endpoint
  kInvalid,       // the caller's arguments make no sense
  kUnsupported,   // this Link, or this build, cannot
};

// Where in a command the error arose.
enum class Phase : uint8_t { kNone, kOpen, kControl, kCommand, kDataIn, kDataOut, kStatus, kReset };

const char* Name(ErrorKind kind);  // "timed out"
const char* Name(Phase phase);     // "data-in"; "" for kNone

struct Error {
  ErrorKind kind = ErrorKind::kFault;
  Phase phase = Phase::kNone;
  uint8_t endpoint = 0;        // bEndpointAddress, 0 where none is meant
  uint64_t length_actual = 0;  // bytes that had moved in this phase
  const char* text = "";       // static: "CSW tag {}, expected {}"
  std::array<uint64_t, 3> values{};

  // "timed out in data-in on endpoint 81 after 512 bytes: CSW tag 7, expected 6"
  std::string Describe() const;
  bool operator==(const Error&) const = default;
};

// A value, or the reason why there is none; the shape of C++23's std::expected.
template <class T, class E = Error>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: converts
  Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: converts

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  T& value() {
    CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const E& error() const {
    CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, E> state_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  Result(E error) : error_(std::move(error)) {}  // NOLINT: converts
  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const E& error() const {
    CHECK(error_.has_value());
    return *error_;
  }

 private:
  std::optional<E> error_;
};

}  // namespace usbtwin
