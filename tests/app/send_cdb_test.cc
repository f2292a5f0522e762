#include "app/send_cdb.h"

#include <boost/test/unit_test.hpp>

#include "base/bytes.h"
#include "tests/app/manual_system.h"

using namespace usbtwin;
using app::CdbOutcome;
using app::CdbRequest;
using app::CdbResult;

namespace {

const std::vector<uint8_t> kReady{0, 0, 0, 0, 0, 0};
const std::vector<uint8_t> kInquiry{0x12, 0, 0, 0, 36, 0};
const std::vector<uint8_t> kReadBlock0{0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0};
const std::vector<uint8_t> kWriteBlock0{0x2a, 0, 0, 0, 0, 0, 0, 0, 1, 0};
const std::vector<uint8_t> kReadBeyond{0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0};

struct Rig {
  explicit Rig(const std::string& quirk = "") {
    std::string profile = "[[unit]]\nsize = \"1M\"\n";
    if (!quirk.empty()) profile += "[[function]]\nquirks = [\"" + quirk + "\"]\n";
    system.files["p.toml"] = profile;
  }
  std::unique_ptr<app::ScsiDevice> Open(app::OpenRequest request = {}) {
    if (request.device.empty()) request.device = "emu:p.toml";
    request.audit = true;
    app::OpenResult opened = app::ScsiDevice::Open(system, request);
    BOOST_TEST_REQUIRE((opened.device != nullptr), opened.text);
    return std::move(opened.device);
  }
  tests::ManualSystem system;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(send_cdb)

BOOST_AUTO_TEST_CASE(one_call_opens_sends_and_closes) {
  Rig rig;
  const CdbResult result = app::SendCdb(rig.system, {.device = "emu:p.toml", .audit = true},
                                        {.cdb = kInquiry, .data_in_length = 36});
  BOOST_TEST(result.good());
  BOOST_TEST(result.text == "");
  BOOST_TEST(result.data_in.size() == 36u);
  BOOST_TEST(result.length_wire == 36u);
  BOOST_TEST(result.length_valid == 36u);
  BOOST_TEST(result.residue == 0u);
  BOOST_TEST(!result.sense.has_value());
  BOOST_TEST(result.record_error == "");
}

BOOST_AUTO_TEST_CASE(opening_tells_what_was_found) {
  Rig rig;
  const auto device = rig.Open({.device = "emu:?size=1M&luns=3"});
  BOOST_TEST(device->facts().transport == "bot");
  BOOST_TEST(device->facts().luns_count == 3);
  BOOST_TEST(device->facts().cdb_length_max == 16u);
  BOOST_TEST(device->facts().vendor_id == 0x1209);
  BOOST_TEST(device->facts().port_path == "emu-1");
}

// The twin offers both. What each of them says of a command is the same, to the byte.
BOOST_AUTO_TEST_CASE(both_transports_give_the_same_answers) {
  const auto answers = [](app::TransportChoice choice, const char* name, const char* speed) {
    Rig rig;
    const std::string device_string = std::string("emu:uas?size=1M&luns=2&speed=") + speed;
    const auto device = rig.Open({.device = device_string, .transport = choice});
    BOOST_TEST(device->facts().transport == name);
    BOOST_TEST(device->facts().luns_count == 2);
    std::vector<uint8_t> block(512, 0x5a);
    std::vector<CdbResult> results;
    for (const uint64_t lun : {0, 1, 5}) {
      results.push_back(device->Send({.lun = lun, .cdb = kReady}));
      results.push_back(device->Send({.lun = lun, .cdb = kInquiry, .data_in_length = 36}));
      results.push_back(device->Send({.lun = lun, .cdb = kWriteBlock0, .data_out = block}));
      results.push_back(device->Send({.lun = lun, .cdb = kReadBlock0, .data_in_length = 512}));
      results.push_back(device->Send({.lun = lun, .cdb = kReadBlock0, .data_in_length = 600}));
      results.push_back(device->Send({.lun = lun, .cdb = kReadBeyond, .data_in_length = 512}));
    }
    return results;
  };
  for (const char* speed : {"high", "super"}) {
    const auto bot = answers(app::TransportChoice::kBot, "bot", speed);
    const auto uasp = answers(app::TransportChoice::kUasp, "uasp", speed);
    const auto automatic = answers(app::TransportChoice::kAuto, "uasp", speed);
    BOOST_REQUIRE(bot.size() == uasp.size());
    for (size_t index = 0; index < bot.size(); ++index) {
      BOOST_TEST_INFO("answer " << index << " at " << speed << " speed");
      for (const CdbResult* other : {&uasp[index], &automatic[index]}) {
        BOOST_TEST((other->outcome == bot[index].outcome));
        BOOST_TEST(other->scsi_status == bot[index].scsi_status);
        BOOST_TEST(other->sense_bytes == bot[index].sense_bytes);
        BOOST_TEST(other->residue == bot[index].residue);
        BOOST_TEST(other->length_valid == bot[index].length_valid);
        BOOST_TEST(other->data_in == bot[index].data_in);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_device_takes_many_commands) {
  Rig rig;
  const auto device = rig.Open();
  const std::vector<uint8_t> block(512, 0xa5);
  const CdbResult written = device->Send({.cdb = kWriteBlock0, .data_out = block});
  BOOST_TEST(written.good());
  BOOST_TEST(written.length_wire == 512u);
  BOOST_TEST(written.length_valid == 512u);
  BOOST_TEST(written.data_in.empty());
  for (int round = 0; round < 10; ++round) {
    const CdbResult read = device->Send({.cdb = kReadBlock0, .data_in_length = 512});
    BOOST_TEST(read.good());
    BOOST_TEST((read.data_in == block));
  }
}

BOOST_AUTO_TEST_CASE(a_check_condition_is_an_answer_with_status_and_sense) {
  Rig rig;
  const auto device = rig.Open();
  const CdbResult result = device->Send({.cdb = kReadBeyond, .data_in_length = 512});
  BOOST_TEST((result.outcome == CdbOutcome::kCompleted));
  BOOST_TEST(!result.good());
  BOOST_TEST(result.scsi_status == 0x02);
  BOOST_TEST_REQUIRE(result.sense.has_value());
  BOOST_TEST(result.sense->key == 5);
  BOOST_TEST(result.sense->asc == 0x21);
  BOOST_TEST(result.sense->ascq == 0);
  BOOST_TEST(result.sense->key_text == "Illegal Request");
  BOOST_TEST(result.sense_bytes.size() >= 14u);
  BOOST_TEST(result.data_in.empty());
  BOOST_TEST(result.residue == 512u);
  BOOST_TEST((result.error.kind == app::TransportErrorKind::kNone));
  // The device is as usable as before.
  BOOST_TEST(device->Send({.cdb = kReady}).good());
}

BOOST_AUTO_TEST_CASE(less_data_than_asked_for_is_counted) {
  Rig rig;
  const auto device = rig.Open();
  const CdbResult result = device->Send({.cdb = kInquiry, .data_in_length = 100});
  BOOST_TEST(result.good());
  BOOST_TEST(result.length_wire == 36u);
  BOOST_TEST(result.residue == 64u);
  BOOST_TEST(result.length_valid == 36u);
  BOOST_TEST(result.data_in.size() == 36u);
}

BOOST_AUTO_TEST_CASE(a_lying_residue_stands_beside_the_wires_count) {
  Rig rig("wrong_residue");  // always 1
  const auto device = rig.Open();
  const CdbResult result = device->Send({.cdb = kInquiry, .data_in_length = 36});
  BOOST_TEST(result.good());
  BOOST_TEST(result.residue == 1u);
  BOOST_TEST(result.length_wire == 36u);
  BOOST_TEST(result.data_in.size() == 36u);
  BOOST_TEST(result.length_valid == 35u);
}

BOOST_AUTO_TEST_CASE(a_broken_protocol_is_a_transport_error_with_its_phase) {
  Rig rig("wrong_tag");
  const CdbResult result = app::SendCdb(rig.system, {.device = "emu:p.toml", .audit = true},
                                        {.cdb = kInquiry, .data_in_length = 36});
  BOOST_TEST((result.outcome == CdbOutcome::kTransport));
  BOOST_TEST((result.error.kind == app::TransportErrorKind::kProtocol));
  BOOST_TEST((result.error.phase == app::TransportPhase::kStatus));
  BOOST_TEST(result.text.find("status") != std::string::npos);
  BOOST_TEST(!result.sense.has_value());
  BOOST_TEST(result.data_in.empty());
  BOOST_TEST(!result.good());
}

BOOST_AUTO_TEST_CASE(requests_that_make_no_sense_are_refused_before_anything_is_sent) {
  Rig rig;
  const auto device = rig.Open();
  const std::vector<uint8_t> bytes(512);
  const std::vector<std::pair<CdbRequest, const char*>> refused{
      {{.cdb = {}}, "no bytes"},
      {{.cdb = std::vector<uint8_t>(17)}, "17 bytes"},
      {{.lun = 16, .cdb = kReady}, "logical unit 16"},
      {{.cdb = kReady, .data_out = bytes, .data_in_length = 1}, "both directions"},
      {{.cdb = kReady, .data_in_length = app::kDataLengthMax + 1}, "256 MiB"},
      {{.cdb = kReady, .timeout = std::chrono::milliseconds(0)}, "timeout"},
  };
  for (const auto& [request, complaint] : refused) {
    const CdbResult result = device->Send(request);
    BOOST_TEST_CONTEXT(complaint) {
      BOOST_TEST((result.outcome == CdbOutcome::kUsage));
      BOOST_TEST(result.text.find(complaint) != std::string::npos, result.text);
    }
  }
  BOOST_TEST(device->Send({.cdb = kReady}).good());
}

BOOST_AUTO_TEST_CASE(an_attention_from_before_the_opening_is_passed_over_once_for_each_unit) {
  Rig rig;
  const auto device = rig.Open({.device = "emu:?size=1M&luns=2"});
  const CdbResult first = device->Send({.cdb = kReady});
  BOOST_TEST(first.good());
  BOOST_TEST(first.old_attentions == 1);
  BOOST_TEST(device->Send({.cdb = kReady}).old_attentions == 0);
  BOOST_TEST(device->Send({.lun = 1, .cdb = kReady}).old_attentions == 1);
}

BOOST_AUTO_TEST_CASE(an_attention_from_before_the_opening_is_reported_on_request) {
  Rig rig;
  const auto device = rig.Open();
  const CdbResult first = device->Send({.cdb = kReady, .report_old_attention = true});
  BOOST_TEST_REQUIRE(first.sense.has_value());
  BOOST_TEST(first.sense->key == 6);
  BOOST_TEST(first.sense->asc == 0x29);
  BOOST_TEST(device->Send({.cdb = kReady}).good());
}

BOOST_AUTO_TEST_CASE(what_cannot_be_opened_says_why) {
  Rig rig;
  const auto outcome = [&rig](app::OpenRequest request) {
    return app::ScsiDevice::Open(rig.system, request).outcome;
  };
  BOOST_TEST((outcome({.device = "nonsense"}) == CdbOutcome::kUsage));
  BOOST_TEST((outcome({.device = "emu:missing.img"}) == CdbOutcome::kCannotOpen));
  BOOST_TEST((outcome({.device = "emu:missing.toml"}) == CdbOutcome::kCannotOpen));
  rig.system.files["bad.toml"] = "speed = \"warp\"\n";
  BOOST_TEST((outcome({.device = "emu:bad.toml"}) == CdbOutcome::kCannotOpen));
  BOOST_TEST((outcome({.device = "1234:5678"}) == CdbOutcome::kCannotOpen));
  BOOST_TEST(
      (outcome({.device = "emu:p.toml", .interface = uint8_t{9}}) == CdbOutcome::kCannotOpen));
  BOOST_TEST((outcome({.device = "emu:p.toml", .transport = app::TransportChoice::kUasp}) ==
              CdbOutcome::kCannotOpen));
  BOOST_TEST(
      (outcome({.device = "emu:p.toml", .record_path = "missing/t.pcapng"}) == CdbOutcome::kFile));
  const app::OpenResult busy =
      app::ScsiDevice::Open(rig.system, {.device = "emu:p.toml", .interface = uint8_t{9}});
  BOOST_TEST((busy.error.kind == app::TransportErrorKind::kNotFound));
  BOOST_TEST(busy.text.starts_with("cannot open emu:p.toml: "));
}

BOOST_AUTO_TEST_CASE(a_record_holds_the_transfers) {
  Rig rig;
  const CdbResult result =
      app::SendCdb(rig.system, {.device = "emu:p.toml", .record_path = "t.pcapng", .audit = true},
                   {.cdb = kInquiry, .data_in_length = 36});
  BOOST_TEST(result.good());
  const std::string& record = rig.system.files["t.pcapng"];
  BOOST_TEST(record.starts_with("\x0a\x0d\x0d\x0a"));
  BOOST_TEST(record.find("USBC") != std::string::npos);
  BOOST_TEST(record.find("USBS") != std::string::npos);
  BOOST_TEST(record.find("USBTWIN") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_record_that_is_incomplete_does_not_change_the_answer) {
  Rig rig;
  const CdbResult result =
      app::SendCdb(rig.system, {.device = "emu:p.toml", .record_path = "full/t.pcap"},
                   {.cdb = kInquiry, .data_in_length = 36});
  BOOST_TEST(result.good());
  BOOST_TEST(result.data_in.size() == 36u);
  BOOST_TEST(result.record_error == "full/t.pcap: no space");
}

BOOST_AUTO_TEST_CASE(a_closed_device_sends_nothing_and_closes_again) {
  Rig rig;
  const auto device = rig.Open();
  BOOST_TEST(device->Close() == "");
  BOOST_TEST((device->Send({.cdb = kReady}).outcome == CdbOutcome::kUsage));
  BOOST_TEST(device->Close() == "");
}

BOOST_AUTO_TEST_CASE(public_enums_have_names) {
  BOOST_TEST(app::Name(app::TransportErrorKind::kNone) == std::string("none"));
  BOOST_TEST(app::Name(app::TransportErrorKind::kTimedOut) == std::string("timed out"));
  BOOST_TEST(app::Name(app::TransportErrorKind::kUnsupported) == std::string("not supported"));
  BOOST_TEST(app::Name(app::TransportPhase::kDataIn) == std::string("data-in"));
  BOOST_TEST(app::Name(app::TransportPhase::kReset) == std::string("reset"));
}

BOOST_AUTO_TEST_SUITE_END()
