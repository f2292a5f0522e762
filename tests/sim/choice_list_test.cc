// Lists of choices as files: what was changed in one is noticed, as the run asks for other things.
#include "sim/choice_list.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;       // NOLINT
using namespace usbtwin::sim;  // NOLINT

namespace {

std::string Made() {
  return Print(ListOf(7, {.commands = 40, .swarm = {}}));
}

std::string MismatchOf(const std::string& text) {
  const auto list = ParseChoices(text, "x.choices");
  BOOST_REQUIRE(list);
  return FindMismatch(*list).value_or("none");
}

// The place where the line with this number begins; 1 for the first.
size_t PlaceOf(const std::string& text, size_t line) {
  size_t place = 0;
  while (--line != 0) place = text.find('\n', place) + 1;
  return place;
}

std::string WithLine(std::string text, size_t line, const std::string& replacement) {
  const size_t first = PlaceOf(text, line);
  return text.replace(first, PlaceOf(text, line + 1) - first, replacement);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(choice_list)

BOOST_AUTO_TEST_CASE(a_list_as_it_was_made_is_the_run) {
  BOOST_TEST(MismatchOf(Made()) == "none");
}

BOOST_AUTO_TEST_CASE(a_list_that_lost_a_line_is_told) {
  // Neighbours may be alike: what is lost shows at the first that is not.
  BOOST_TEST(MismatchOf(WithLine(Made(), 3, "")).starts_with("line "));
  BOOST_TEST(MismatchOf(WithLine(Made(), 20, "")).find("the run asks for") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_list_that_was_cut_is_told) {
  const std::string text = Made();
  BOOST_TEST(MismatchOf(text.substr(0, PlaceOf(text, 53)))
                 .starts_with("the list ends after 50 choices, and the run asks for "));
}

BOOST_AUTO_TEST_CASE(a_value_beyond_its_bound_is_told) {
  const std::string text = Made();
  const size_t first = PlaceOf(text, 3);
  const std::string note = text.substr(text.find(" # of ", first) + 3);
  const std::string expected = "line 3: 999999999 is no choice " + note.substr(0, note.find('\n'));
  BOOST_TEST(MismatchOf(WithLine(text, 3, "999999999 # " + note.substr(0, note.find('\n') + 1))) ==
             expected);
}

BOOST_AUTO_TEST_CASE(a_list_written_by_hand_needs_no_notes) {
  BOOST_TEST(MismatchOf("usbtwin choices 1\ncommands 1\nsmall\n0\n") != "");
  const std::string text = Made();
  std::string bare;
  for (size_t line = 1, place = 0; place < text.size(); ++line) {
    const std::string whole = text.substr(place, text.find('\n', place) - place);
    place += whole.size() + 1;
    bare += whole.substr(0, whole.find(" #")) + "\n";
  }
  BOOST_TEST(MismatchOf(bare) == "none");
}

BOOST_AUTO_TEST_SUITE_END()
