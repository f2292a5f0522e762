#include "os/linux/vhci.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <map>
#include <sstream>

#include "tests/os/temp_dir.h"

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT
namespace data = boost::unit_test::data;

namespace {

using usb::Speed;

// vhci_hcd as its files show it: two controllers of two ports in each hub. It chooses the hub by
// the speed and the place in it by the number, as the kernel does.
class FakeVhci final : public SystemFiles {
 public:
  static constexpr uint32_t kPerHub = 2;

  FakeVhci() {
    for (uint32_t number = 0; number < 4 * kPerHub; ++number) states[number] = 4;
  }
  Result<std::string, int> Read(const std::string& name) const override {
    if (read_error != 0) return read_error;
    if (name != "status" && name != "status.1") return ENOENT;
    std::ostringstream text;
    text << "hub port sta spd dev      sockfd local_busid\n";
    const uint32_t first = name == "status" ? 0 : 2 * kPerHub;
    for (uint32_t number = first; number < first + 2 * kPerHub; ++number) {
      const bool super = number % (2 * kPerHub) >= kPerHub;
      if (super && !has_super) continue;
      text << (super ? "ss" : "hs") << "  " << number << " " << states.at(number) << " 0 0 "
           << (ready ? "0" : "0000000000000000") << " 0-0\n";
    }
    return text.str();
  }
  int Write(const std::string& name, const std::string& text) override {
    lines.push_back(name + ": " + text);
    if (!errors.empty()) {
      const int error = errors.front();
      errors.erase(errors.begin());
      if (error == EBUSY) states[busy_port] = 6;
      if (error != 0) return error;
    }
    std::istringstream words(text);
    uint32_t port = 0;
    uint32_t fd = 0;
    uint32_t device_id = 0;
    uint32_t speed = 0;
    words >> port;
    if (name == "detach") {
      states[port] = 4;
      return 0;
    }
    words >> fd >> device_id >> speed;
    const uint32_t controller = port / (2 * kPerHub);
    const uint32_t hub = speed >= 5 ? kPerHub : 0;
    int& state = states[controller * 2 * kPerHub + hub + port % kPerHub];
    if (state != 4) return EBUSY;
    state = 5;
    return 0;
  }
  std::string path(const std::string& name) const override { return "/vhci/" + name; }

  std::map<uint32_t, int> states;
  bool has_super = true;
  bool ready = true;
  int read_error = 0;
  std::vector<int> errors;  // of the next writes
  uint32_t busy_port = 0;   // somebody else takes it when EBUSY is answered
  std::vector<std::string> lines;
};

std::string TextOf(const Result<uint32_t, app::Failure>& result) {
  return result ? "port " + std::to_string(*result) : result.error().text;
}

struct Speeds {
  Speed speed;
  const char* line;
  uint32_t port;
};
std::ostream& operator<<(std::ostream& out, const Speeds& row) {
  return out << row.line;
}
const std::vector<Speeds> kSpeeds{
    {Speed::kLow, "attach: 0 7 65538 1", 0},       {Speed::kFull, "attach: 0 7 65538 2", 0},
    {Speed::kHigh, "attach: 0 7 65538 3", 0},      {Speed::kSuper, "attach: 2 7 65538 5", 2},
    {Speed::kSuperPlus, "attach: 2 7 65538 6", 2},
};

struct Errors {
  int error;
  const char* said;
};
std::ostream& operator<<(std::ostream& out, const Errors& row) {
  return out << row.said;
}
const std::vector<Errors> kWriteErrors{
    {EACCES, "cannot write /vhci/attach: Permission denied; run this as root"},
    {EROFS, "in most containers"},
    {ENOENT, "modprobe vhci_hcd"},
    {EINVAL, "dmesg says more"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(vhci)

BOOST_DATA_TEST_CASE(the_speed_chooses_the_hub, data::make(kSpeeds), row) {
  FakeVhci files;
  Vhci vhci(files);
  const auto port = vhci.Attach(7, {.id = 0x10002, .speed = row.speed});
  BOOST_REQUIRE_MESSAGE(port.has_value(), TextOf(port));
  BOOST_TEST(*port == row.port);
  BOOST_REQUIRE(files.lines.size() == 1u);
  BOOST_TEST(files.lines[0] == row.line);
}

BOOST_AUTO_TEST_CASE(ports_fill_up_over_all_controllers) {
  FakeVhci files;
  Vhci vhci(files);
  for (const uint32_t expected : {2u, 3u, 6u, 7u}) {
    BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kSuper})) ==
               "port " + std::to_string(expected));
  }
  const auto more = vhci.Attach(7, {.id = 1, .speed = Speed::kSuper});
  BOOST_TEST(TextOf(more).find("all 4 virtual ports for super speed are taken") !=
             std::string::npos);
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kHigh})) == "port 0");
}

BOOST_AUTO_TEST_CASE(a_port_that_somebody_else_takes_is_skipped) {
  FakeVhci files;
  files.errors = {EBUSY};
  Vhci vhci(files);
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kHigh})) == "port 1");
}

BOOST_AUTO_TEST_CASE(a_kernel_that_always_says_busy_is_not_asked_for_ever) {
  FakeVhci files;
  files.errors.assign(100, EBUSY);
  files.busy_port = 3;
  Vhci vhci(files);
  BOOST_TEST(!vhci.Attach(7, {.id = 1, .speed = Speed::kHigh}).has_value());
  BOOST_TEST(files.lines.size() == 4u);
}

BOOST_AUTO_TEST_CASE(a_controller_that_is_not_ready_is_skipped_or_told) {
  FakeVhci files;
  files.errors = {EAGAIN, EAGAIN};
  Vhci vhci(files);
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kHigh})) == "port 4");
  files.errors.assign(100, EAGAIN);
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kHigh})).find("not ready yet") !=
             std::string::npos);
  files.errors.clear();
  files.ready = false;
  for (auto& [number, state] : files.states) state = 5;
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kHigh})).find("not ready yet") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(super_speed_plus_falls_back) {
  FakeVhci files;
  files.errors = {EINVAL};
  Vhci vhci(files);
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kSuperPlus})) == "port 2");
  BOOST_REQUIRE(files.lines.size() == 2u);
  BOOST_TEST(files.lines[0] == "attach: 2 7 1 6");
  BOOST_TEST(files.lines[1] == "attach: 2 7 1 5");
}

BOOST_AUTO_TEST_CASE(old_kernels_have_no_ports_for_super_speed) {
  FakeVhci files;
  files.has_super = false;
  Vhci vhci(files);
  const auto port = vhci.Attach(7, {.id = 1, .speed = Speed::kSuper});
  BOOST_TEST(TextOf(port).find("do not take super speed") != std::string::npos);
  BOOST_TEST(files.lines.empty());
}

BOOST_DATA_TEST_CASE(a_refusal_says_what_to_do, data::make(kWriteErrors), row) {
  FakeVhci files;
  files.errors = {row.error};
  Vhci vhci(files);
  const auto port = vhci.Attach(7, {.id = 1, .speed = Speed::kHigh});
  BOOST_TEST(TextOf(port).find(row.said) != std::string::npos, TextOf(port));
  BOOST_TEST((port.error().kind == app::Failure::Kind::kCannotOpen));
}

BOOST_AUTO_TEST_CASE(a_kernel_without_vhci_is_told) {
  FakeVhci files;
  files.read_error = ENOENT;
  Vhci vhci(files);
  const auto ports = vhci.List();
  BOOST_REQUIRE(!ports.has_value());
  BOOST_TEST(ports.error().text.find("modprobe vhci_hcd") != std::string::npos);
  files.read_error = EACCES;
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kHigh})) ==
             "cannot read /vhci/status: Permission denied");
}

BOOST_AUTO_TEST_CASE(detaching_takes_the_printed_number) {
  FakeVhci files;
  Vhci vhci(files);
  BOOST_TEST(TextOf(vhci.Attach(7, {.id = 1, .speed = Speed::kSuper})) == "port 2");
  BOOST_TEST(vhci.Detach(2).has_value());
  BOOST_TEST(files.lines.back() == "detach: 2");
}

BOOST_AUTO_TEST_CASE(what_is_not_there_cannot_be_detached) {
  FakeVhci files;
  Vhci vhci(files);
  const auto unknown = vhci.Detach(99);
  BOOST_REQUIRE(!unknown.has_value());
  BOOST_TEST((unknown.error().kind == app::Failure::Kind::kUsage));
  const auto free = vhci.Detach(0);
  BOOST_REQUIRE(!free.has_value());
  BOOST_TEST(free.error().text == "port 0 is free: nothing is there");
  BOOST_TEST(files.lines.empty());
}

BOOST_AUTO_TEST_CASE(files_of_a_folder_are_read_and_written) {
  const tests::TempDir folder;
  folder.File("status", Bytes());
  const auto files = MakeSystemFiles(folder.path("."));
  BOOST_TEST(files->Write("status", "0 7 1 3") == 0);
  const auto text = files->Read("status");
  BOOST_REQUIRE(text.has_value());
  BOOST_TEST(*text == "0 7 1 3");
  BOOST_TEST(files->Write("none", "1") == ENOENT);
  BOOST_TEST(files->Read("none").error() == ENOENT);
}

BOOST_AUTO_TEST_SUITE_END()
