// Rows of tables that the disk tests share: a command, and what a disk of 128 blocks of 512 bytes
// answers or why it refuses.
#pragma once

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/emulator/disk_rig.h"

namespace usbtwin::tests {

struct AnswerCase {
  const char* name;
  const char* cdb;
  const char* data;
};
struct RefusedCase {
  const char* name;
  const char* cdb;
  const char* sense;
};
struct RefusedListCase {
  const char* name;
  const char* cdb;
  const char* list;  // data-out
  const char* sense;
};
inline std::ostream& operator<<(std::ostream& out, const AnswerCase& sample) {
  return out << sample.name;
}
inline std::ostream& operator<<(std::ostream& out, const RefusedCase& sample) {
  return out << sample.name;
}
inline std::ostream& operator<<(std::ostream& out, const RefusedListCase& sample) {
  return out << sample.name;
}

inline void Check(const AnswerCase& sample) {
  DiskRig rig;
  BOOST_TEST((rig.host.Do(sample.cdb) == scsi::Status::kGood));
  BOOST_TEST(rig.host.in_hex() == Hex(*ParseHex(sample.data)));
}
// Refused before any data moves.
inline void Check(const RefusedCase& sample) {
  DiskRig rig;
  rig.host.Do(sample.cdb);
  BOOST_TEST(rig.host.sense() == sample.sense);
  BOOST_TEST(rig.host.calls == "E");
}

}  // namespace usbtwin::tests
