#include "app/twin.h"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "app/config.h"
#include "tests/app/manual_system.h"
#include "usb/bos.h"
#include "usb/string_descriptor.h"
#include "wire/bot.h"

using namespace usbtwin;       // NOLINT
using namespace usbtwin::app;  // NOLINT
using usb::EndpointAddress;
using usb::Outcome;

namespace {

std::string Fixture(const std::string& name) {
  std::ifstream file(std::string(USBTWIN_PROFILES) + "/" + name);
  BOOST_REQUIRE_MESSAGE(file, "cannot read " << name);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Done final : usb::TransferSink, usb::PortSink, usb::Sink<usb::OpenOp> {
  void OnDone(usb::Transfer&, uint64_t) override { done = true; }
  void OnDone(usb::PortOp&, uint64_t) override { done = true; }
  void OnDone(usb::OpenOp&, uint64_t) override { done = true; }
  bool done = false;
};

// A twin and a host that has opened it.
struct Rig {
  explicit Rig(const std::string& profile) {
    auto parsed = ParseProfile(profile, "profile.toml");
    BOOST_REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().text));
    auto made = Twin::Make(system, *parsed);
    BOOST_REQUIRE_MESSAGE(made, (made ? "" : made.error().text));
    twin = std::move(*made);
    Open();
  }

  void Open() {
    usb::OpenOp op;
    Done done;
    op.id = twin->id();
    op.Push(done);
    twin->bus().Open(op);
    Wait(done);
    BOOST_REQUIRE(op.result);
    stack = std::move(*op.result);
  }

  void Wait(const Done& done) {
    BOOST_REQUIRE(system.RunUntil([&] { return done.done; }));
  }
  Outcome Port(const usb::PortRequest& request) {
    usb::PortOp op;
    Done done;
    op.request = request;
    op.Push(done);
    stack.top->Request(op);
    Wait(done);
    return op.outcome;
  }
  struct Answer {
    Outcome outcome = Outcome::kPending;
    std::vector<uint8_t> bytes;
  };
  Answer Submit(usb::Transfer& transfer) {
    Done done;
    transfer.Push(done);
    stack.top->Submit(transfer);
    Wait(done);
    Answer answer{transfer.outcome, {}};
    if (transfer.is_in() && answer.outcome == Outcome::kOk) {
      const Bytes got = Take(transfer.in, transfer.length_actual);
      answer.bytes.assign(got.begin(), got.end());
    }
    return answer;
  }
  Answer Control(const std::array<uint8_t, 8>& setup) {
    std::vector<uint8_t> room(setup[6] | setup[7] << 8, 0xa5);
    usb::Transfer transfer;
    transfer.setup = *wire::View<usb::SetupPacket>(setup);
    transfer.in = room;
    transfer.in_length_max = static_cast<uint32_t>(room.size());
    return Submit(transfer);
  }
  Answer In(EndpointAddress endpoint, size_t length) {
    std::vector<uint8_t> room(length, 0xa5);
    usb::Transfer transfer;
    transfer.endpoint = endpoint;
    transfer.in = room;
    transfer.in_length_max = static_cast<uint32_t>(length);
    return Submit(transfer);
  }
  Outcome Out(EndpointAddress endpoint, Bytes bytes) {
    usb::Transfer transfer;
    transfer.endpoint = endpoint;
    transfer.out = bytes;
    return Submit(transfer).outcome;
  }

  // One command by hand through a pair of pipes; the wrapper that ends it.
  struct Command {
    uint8_t pipe = 1;  // the number of both pipes
    uint8_t lun = 0;
    std::vector<uint8_t> block;
    uint32_t length_in = 0;
    std::vector<uint8_t> data{};
  };
  wire::bot::CommandStatusWrapper Run(Command& command) {
    wire::bot::CommandBlockWrapper wrapper{
        .signature = wire::bot::kCommandSignature,
        .tag = 77u,
        .data_length = command.length_in,
        .flags = wire::bot::kDirectionIn,
        .lun = command.lun,
        .command_length = static_cast<uint8_t>(command.block.size()),
        .command_block = {}};
    std::copy(command.block.begin(), command.block.end(), wrapper.command_block.begin());
    BOOST_REQUIRE(
        (Out(EndpointAddress::Out(command.pipe), wire::AsBytes(wrapper)) == Outcome::kOk));
    const EndpointAddress in = EndpointAddress::In(command.pipe);
    if (command.length_in != 0) {
      Answer answer = In(in, command.length_in);
      command.data = std::move(answer.bytes);
      if (answer.outcome == Outcome::kStall) Port(usb::ClearHalt{in});
    }
    const Answer status = In(in, 13);
    BOOST_REQUIRE(status.bytes.size() == 13u);
    return *wire::View<wire::bot::CommandStatusWrapper>(status.bytes);
  }
  std::vector<uint8_t> Inquiry(uint8_t pipe, uint8_t lun) {
    Command inquiry{.pipe = pipe, .lun = lun, .block = {0x12, 0, 0, 0, 36, 0}, .length_in = 36};
    BOOST_TEST(Run(inquiry).status == 0);
    return inquiry.data;
  }

  tests::ManualSystem system;
  std::unique_ptr<Twin> twin;
  usb::LinkStack stack;
};

std::string Product(const std::vector<uint8_t>& inquiry) {
  return std::string(inquiry.begin() + 16, inquiry.begin() + 32);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(twin)

BOOST_AUTO_TEST_CASE(a_vendor_twin_offers_one_disk_through_two_doors) {
  Rig rig(Fixture("vendor-scsi.toml"));
  const auto enumerated = rig.twin->bus().Enumerate();
  BOOST_REQUIRE(enumerated->size() == 1u);
  BOOST_TEST(enumerated->front().product_id == 0x0002);

  const auto blob = rig.Control("80 06 0002 0000 ff00"_hex);
  const auto tree = usb::ParseConfiguration(blob.bytes);
  BOOST_REQUIRE(tree);
  BOOST_TEST(tree->defects.empty());
  const auto doors = FindAlternates(*tree, {.interface_subclass = 6, .interface_protocol = 0x50});
  BOOST_REQUIRE(doors.size() == 2u);
  BOOST_TEST(doors[0].alternate->interface_class == 0x08);
  BOOST_TEST(doors[1].alternate->interface_class == 0xff);
  BOOST_TEST(doors[1].interface->number == 1);
  BOOST_TEST(doors[1].alternate->endpoints[0].address.number() == 2);

  BOOST_REQUIRE((rig.Port(usb::SetConfiguration{1}) == Outcome::kOk));
  BOOST_TEST(Product(rig.Inquiry(1, 0)) == "Two-door disk   ");
  BOOST_TEST(Product(rig.Inquiry(2, 0)) == "Two-door disk   ");
}

BOOST_AUTO_TEST_CASE(each_door_is_an_initiator_of_its_own) {
  Rig rig(Fixture("vendor-scsi.toml"));
  rig.Port(usb::SetConfiguration{1});
  // Both hear of the reset that began it all, each once.
  for (const uint8_t pipe : {uint8_t{1}, uint8_t{2}}) {
    Rig::Command ready{.pipe = pipe, .block = std::vector<uint8_t>(6)};
    BOOST_TEST(rig.Run(ready).status == 1);
    Rig::Command sense{.pipe = pipe, .block = {0x03, 0, 0, 0, 18, 0}, .length_in = 18};
    BOOST_TEST(rig.Run(sense).status == 0);
    BOOST_REQUIRE(sense.data.size() == 18u);
    BOOST_TEST((sense.data[2] & 0x0f) == 6);
    BOOST_TEST(rig.Run(ready).status == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_card_reader_has_four_units) {
  Rig rig(Fixture("card-reader.toml"));
  rig.Port(usb::SetConfiguration{1});
  BOOST_TEST(rig.Control("a1 fe 0000 0000 0100"_hex).bytes == std::vector<uint8_t>{3});
  BOOST_TEST(Product(rig.Inquiry(1, 0)) == "Slot CF         ");
  BOOST_TEST(Product(rig.Inquiry(1, 3)) == "Slot MS         ");
  BOOST_TEST((rig.Inquiry(1, 2)[1] & 0x80) == 0x80);
  BOOST_TEST(rig.twin->disk(2).write_protected());
  BOOST_TEST(!rig.twin->disk(3).write_protected());
}

BOOST_AUTO_TEST_CASE(a_super_speed_twin_has_its_descriptors_and_blocks) {
  Rig rig(Fixture("superspeed-4k.toml"));
  BOOST_TEST((rig.stack.top->caps().speed == usb::Speed::kSuper));
  const auto device =
      usb::ParseDevice(rig.Control("80 06 0001 0000 1200"_hex).bytes, usb::Speed::kSuper);
  BOOST_TEST(device->usb_version == 0x0320);
  const auto store = usb::ParseBos(rig.Control("80 06 000f 0000 ff00"_hex).bytes);
  BOOST_TEST(store->defects.empty());
  BOOST_TEST(store->super_speed.has_value());
  const auto tree = usb::ParseConfiguration(rig.Control("80 06 0002 0000 ff00"_hex).bytes);
  BOOST_TEST(tree->power_ma(usb::Speed::kSuper) == 896);
  BOOST_TEST(tree->interfaces[0].alternates[0].endpoints[0].packet_size_max == 1024);

  rig.Port(usb::SetConfiguration{1});
  rig.Inquiry(1, 0);
  Rig::Command ready{.block = std::vector<uint8_t>(6)};
  rig.Run(ready);
  Rig::Command capacity{.block = {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}, .length_in = 8};
  BOOST_TEST(rig.Run(capacity).status == 0);
  const auto expected = "0003ffff 00001000"_hex;
  BOOST_TEST(capacity.data == std::vector<uint8_t>(expected.begin(), expected.end()));
}

BOOST_AUTO_TEST_CASE(a_locked_stick_has_its_quirks) {
  Rig rig(Fixture("locked-stick.toml"));
  rig.Port(usb::SetConfiguration{1});
  BOOST_TEST((rig.Control("a1 fe 0000 0000 0100"_hex).outcome == Outcome::kStall));
  BOOST_TEST((rig.Control("80 06 0003 0000 ff00"_hex).outcome == Outcome::kStall));
  BOOST_TEST(*usb::ParseString(rig.Control("80 06 0203 0904 ff00"_hex).bytes) == "Locked stick");
  // USB 1.1 knows no store of capabilities.
  BOOST_TEST((rig.Control("80 06 000f 0000 ff00"_hex).outcome == Outcome::kStall));
  Rig::Command inquiry{.block = {0x12, 0, 0, 0, 36, 0}, .length_in = 36};
  const wire::bot::CommandStatusWrapper status = rig.Run(inquiry);
  BOOST_TEST(inquiry.data.size() == 36u);
  BOOST_TEST(status.residue == 1u);
  BOOST_TEST(status.tag == 77u);
}

BOOST_AUTO_TEST_CASE(tag_and_signature_can_be_wrong) {
  Rig rig(
      "[[unit]]\nsize = \"1M\"\n[[function]]\nquirks = [\"wrong_tag\"]\n"
      "[[function]]\nquirks = [\"odd_signature\"]\n");
  rig.Port(usb::SetConfiguration{1});
  Rig::Command inquiry{.pipe = 1, .block = {0x12, 0, 0, 0, 36, 0}, .length_in = 36};
  wire::bot::CommandStatusWrapper status = rig.Run(inquiry);
  BOOST_TEST(status.tag == 0u);
  BOOST_TEST(status.signature == wire::bot::kStatusSignature);
  BOOST_TEST(status.residue == 0u);
  inquiry.pipe = 2;
  status = rig.Run(inquiry);
  BOOST_TEST(status.tag == 77u);
  BOOST_TEST(status.signature == 0x55425355u);
}

BOOST_AUTO_TEST_CASE(images_are_opened_as_their_units_want) {
  tests::ManualSystem system;
  system.files["dir/a.img"] = std::string(8192, 'x');
  const auto profile = ParseProfile(
      "[[unit]]\nimage = \"a.img\"\nblock_size = 4096\nread_only = true\n", "dir/p.toml");
  auto made = Twin::Make(system, *profile);
  BOOST_REQUIRE(made);
  BOOST_REQUIRE(system.opened.size() == 1u);
  BOOST_TEST(system.opened[0].first == "dir/a.img");
  BOOST_TEST(system.opened[0].second.read_only);
  BOOST_TEST(system.opened[0].second.block_size == 4096u);
  BOOST_TEST((*made)->disk(0).blocks_count() == 2u);
}

BOOST_AUTO_TEST_CASE(a_missing_image_is_the_systems_failure) {
  tests::ManualSystem system;
  const auto profile = ParseProfile("[[unit]]\nimage = \"a.img\"\n", "dir/p.toml");
  const auto made = Twin::Make(system, *profile);
  BOOST_REQUIRE(!made);
  BOOST_TEST(made.error().text == "dir/a.img: no such file");
}

BOOST_AUTO_TEST_CASE(a_missing_image_is_told_with_its_place_in_the_file) {
  tests::ManualSystem system;
  system.files["b.img"] = std::string(512, 'x');
  const auto file = ParseProfileFile(
      "[[unit]]\nsize = 512\n[[unit]]\nimage = \"b.img\"\n[[unit]]\n\nimage = \"a.img\"\n", "p");
  BOOST_REQUIRE(file);
  const auto made = Twin::Make(system, *file);
  BOOST_REQUIRE(!made);
  BOOST_TEST(made.error().text == "p:7: key 'unit.image': a.img: no such file");
}

BOOST_AUTO_TEST_CASE(units_without_an_image_are_in_memory) {
  tests::ManualSystem system;
  system.files["a.img"] = std::string(512, 'x');
  const auto profile = ParseProfile(
      "[[unit]]\nsize = 512\n[[unit]]\nimage = \"a.img\"\n"
      "[[function]]\n[[function]]\nunits = [1, 0]\n[[function]]\nconfiguration = 2\n",
      "p");
  const auto made = Twin::Make(system, *profile);
  BOOST_REQUIRE(made);
  const auto in_memory = [&](uint8_t configuration, uint8_t interface, uint8_t lun) {
    return (*made)->IsInMemory({configuration, interface, lun});
  };
  BOOST_TEST(in_memory(1, 0, 0));
  BOOST_TEST(!in_memory(1, 0, 1));
  BOOST_TEST(!in_memory(1, 1, 0));
  BOOST_TEST(in_memory(1, 1, 1));
  BOOST_TEST(in_memory(2, 0, 0));
  BOOST_TEST(!in_memory(1, 2, 0));  // there are none of these
  BOOST_TEST(!in_memory(1, 0, 2));
  BOOST_TEST(!in_memory(3, 0, 0));
}

BOOST_AUTO_TEST_CASE(parts_that_do_not_fit_are_refused) {
  tests::ManualSystem system;
  auto profile = ParseProfile("[[unit]]\nsize = 512\n", "p");
  profile->device.power_ma = 501;
  BOOST_TEST(Twin::Make(system, *profile).error().text ==
             "the profile's device: invalid argument: 501 mA is more than the 500 a bus gives");
  profile = ParseProfile("[[unit]]\nsize = 512\n", "p");
  profile->speed = usb::Speed::kSuper;
  BOOST_TEST(Twin::Make(system, *profile).error().text ==
             "the profile's device: not supported: the device does not know this speed");
}

BOOST_AUTO_TEST_CASE(a_twin_can_be_unplugged_in_the_middle_of_a_command) {
  Rig rig(Fixture("vendor-scsi.toml"));
  rig.Port(usb::SetConfiguration{1});
  // The wrapper of a read, and no one who takes the data.
  const auto read = "55534243 01000000 00100000 80 00 0a 28000000000000000800 000000000000"_hex;
  BOOST_TEST((rig.Out(EndpointAddress::Out(1), read) == Outcome::kOk));
  rig.twin->Unplug();
  BOOST_TEST((rig.In(EndpointAddress::In(1), 512).outcome == Outcome::kDisconnected));
  // Destroying it now finds everything returned.
  rig.stack.Close();
  rig.twin.reset();
  BOOST_TEST(rig.system.manual_clock.idle());
}

BOOST_AUTO_TEST_CASE(a_replugged_twin_starts_anew) {
  Rig rig(Fixture("vendor-scsi.toml"));
  rig.Port(usb::SetConfiguration{1});
  rig.twin->Unplug();
  rig.system.manual_clock.RunPosted();
  BOOST_TEST((rig.Control("80 08 0000 0000 0100"_hex).outcome == Outcome::kDisconnected));
  rig.twin->Plug();
  // The old link stays disconnected, whatever is there again.
  BOOST_TEST((rig.Control("80 08 0000 0000 0100"_hex).outcome == Outcome::kDisconnected));
  BOOST_TEST((rig.Port(usb::SetConfiguration{1}) == Outcome::kDisconnected));
  rig.Open();
  BOOST_TEST(rig.Control("80 08 0000 0000 0100"_hex).bytes == std::vector<uint8_t>{0});
  rig.Port(usb::SetConfiguration{1});
  BOOST_TEST(Product(rig.Inquiry(1, 0)) == "Two-door disk   ");
}

BOOST_AUTO_TEST_SUITE_END()
