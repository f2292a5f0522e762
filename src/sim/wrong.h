// Wrong: what is not allowed about a run, in a sentence, and which law it broke. Two runs fail in
// the same way where they break the same law: that is what a run is made smaller by. Made by
// whatever judges a run.
#pragma once

#include <cstdint>
#include <string>

namespace usbtwin::sim {

enum class Law : uint8_t {
  kNone,
  kContract,    // decorators and links keep the contract of links
  kEnd,         // everything ends
  kOpening,     // a device that is there can be opened
  kCause,       // an error, or sense, has a cause
  kNotice,      // what must be noticed is
  kLife,        // after an error the next commands are carried out
  kThrift,      // nothing is recovered more than it takes
  kTime,        // deadlines and cancellations take effect when they should
  kPlace,       // an error tells where it arose and what had moved
  kLength,      // lengths and residues are those of what happened
  kData,        // what is read is what was written, and what units say is true
  kLoan,        // what is lent stays as it is
  kDiligence,   // who says that he has read has read
  kCompletion,  // what nothing was done to ends well
};

struct Wrong {
  Law law = Law::kNone;
  std::string text;
};

}  // namespace usbtwin::sim
