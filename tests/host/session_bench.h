// A session on a device whose answers are a script: what the tests of sessions start from.
#pragma once

#include "host/session.h"
#include "tests/host/descriptors.h"
#include "tests/host/run.h"

namespace usbtwin::tests {

inline const std::string kGetConfiguration = "control 8008000000000100";
inline const std::string kGetInterface = "control 810a000000000100";
inline const std::string kGetMaxLun = "control a1fe000000000100";

struct SessionBench {
  SessionBench() {
    ScriptWellBuilt(device, 1);
    bus.device = &device;
  }
  Result<void> Open() { return Run(clock, session.Open()); }
  Result<host::ScsiTransport*> OpenStorage(host::StorageOptions options = {}) {
    BOOST_REQUIRE(Open().has_value());
    device.ClearLog();
    return Run(clock, session.OpenStorage(options));
  }
  // What OpenStorage asked of the device, beside the configuration's value and Get Max LUN.
  std::vector<std::string> SetUpLog() const {
    std::vector<std::string> log;
    for (const std::string& entry : device.log()) {
      if (entry != kGetConfiguration && entry != kGetMaxLun) log.push_back(entry);
    }
    return log;
  }
  void CheckSetUp(const std::vector<std::string>& expected) const {
    BOOST_TEST(SetUpLog() == expected, boost::test_tools::per_element());
  }

  ManualClock clock;
  ScriptedDevice device{clock};
  OnePortBus bus{clock};
  host::Session session{clock, bus, OnePortBus::Id()};
};

}  // namespace usbtwin::tests
