// Why something a user asked for could not be done: a sentence that names the thing and says what
// to do next, and the kind that decides the exit code. For the control plane; transports use Error.
#pragma once

#include <optional>
#include <string>

#include "proto/sense.h"

namespace usbtwin::app {

struct Failure {
  enum class Kind {
    kUsage,       // the arguments make no sense, or a file they name does not
    kCannotOpen,  // no such device, its image or profile is no good, no permission, busy, or not in
                  // this build
    kTransport,   // the conversation with the device broke
    kRefused,     // the device answered, and said no
    kFile,        // a file could not be read or written
  };
  Kind kind = Kind::kUsage;
  std::string text;
  std::optional<scsi::Sense> sense;  // kRefused: what the device said, where it said anything
};

// "cannot open": as programs that read our JSON know it.
inline const char* Name(Failure::Kind kind) {
  switch (kind) {
    case Failure::Kind::kUsage: return "usage";
    case Failure::Kind::kCannotOpen: return "cannot open";
    case Failure::Kind::kTransport: return "transport";
    case Failure::Kind::kRefused: return "refused";
    case Failure::Kind::kFile: return "file";
  }
  return "";
}

}  // namespace usbtwin::app
