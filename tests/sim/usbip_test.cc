// A host and a twin with USB/IP between them.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "app/decorated_bus.h"
#include "base/seeded.h"
#include "host/block_device.h"
#include "host/session.h"
#include "sim/usbip_path.h"
#include "sim/world.h"
#include "tests/sim/world_system.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::sim;    // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;
namespace data = boost::unit_test::data;

namespace {

struct Far {
  explicit Far(uint64_t seed, const UsbIpPathOptions& options = {})
      : chooser(seed), world(chooser), system(world) {
    auto made = app::Twin::Make(system, OneDisk(1 << 20));
    BOOST_REQUIRE(made.has_value());
    twin = std::move(*made);
    path.emplace(world, twin->bus(), twin->id(), options);
    BOOST_REQUIRE(path->Start(kStepsMax));
    audited.emplace(world, path->bus(), app::Decorations{.audit = true});
    session.emplace(world, *audited, path->id());
  }
  ~Far() {
    session.reset();
    path->Stop();
    BOOST_TEST(Run([this] { return path->idle(); }));
  }
  template <class DoneFunction>
  bool Run(DoneFunction done) {
    return world.RunUntil(done, kStepsMax).has_value();
  }
  template <class T>
  T Await(async::Task<T> task) {
    async::Job<T> job(world, std::move(task));
    BOOST_REQUIRE(Run([&job] { return job.done(); }));
    return job.result();
  }

  Seeded chooser;
  World world;
  WorldSystem system;
  std::unique_ptr<app::Twin> twin;
  std::optional<UsbIpPath> path;
  std::optional<app::DecoratedBus> audited;
  std::optional<host::Session> session;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_path)

BOOST_DATA_TEST_CASE(a_disk_far_away_is_the_same_disk, data::xrange(20), seed) {
  UsbIpPathOptions options;
  options.pipes.delay_max = 1ms;
  options.pipes.buffer_length = seed % 2 == 0 ? 64 << 10 : 1000;
  Far far(static_cast<uint64_t>(seed), options);
  const Result<void> opened = far.Await(far.session->Open());
  BOOST_REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().Describe()));
  BOOST_TEST(far.session->description().product.has_value());
  const auto transport = far.Await(far.session->OpenStorage({}));
  BOOST_REQUIRE_MESSAGE(transport.has_value(), (transport ? "" : transport.error().Describe()));
  std::vector<uint8_t> written(128 << 10);
  for (size_t index = 0; index < written.size(); ++index) {
    written[index] = static_cast<uint8_t>(index * 7 + index / 512);
  }
  std::vector<uint8_t> read(written.size(), 0xa5);
  host::ScsiRequest clear;
  const std::array<uint8_t, 6> test_unit_ready{};
  clear.cdb = test_unit_ready;
  auto cleared = far.Await((*transport)->Execute(clear));  // the power-on unit attention
  BOOST_TEST(cleared.has_value());
  const auto write_cdb = "2a 00 00000008 00 0100 00"_hex;
  host::ScsiRequest write;
  write.cdb = write_cdb;
  write.out = written;
  auto wrote = far.Await((*transport)->Execute(write));
  BOOST_REQUIRE_MESSAGE(wrote.has_value(), (wrote ? "" : wrote.error().Describe()));
  BOOST_TEST((wrote->status == scsi::Status::kGood));
  const auto read_cdb = "28 00 00000008 00 0100 00"_hex;
  host::ScsiRequest fetch;
  fetch.cdb = read_cdb;
  fetch.in = read;
  fetch.in_length = static_cast<uint32_t>(read.size());
  auto got = far.Await((*transport)->Execute(fetch));
  BOOST_REQUIRE_MESSAGE(got.has_value(), (got ? "" : got.error().Describe()));
  BOOST_TEST(got->length_actual == read.size());
  BOOST_TEST((read == written));
  BOOST_TEST(far.Await(far.session->Close()).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
