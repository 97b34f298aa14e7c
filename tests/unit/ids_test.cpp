// Which container ids are accepted.
#include "runtimes/ids.h"

#include "support.h"

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("ids: letters, digits and _+-. make an id") {
  for (const std::string& id : {std::string("a"), std::string("0"), std::string("_x"), std::string("+x"),
                                std::string("a.b-c_d+e"), std::string("a..b"), std::string(128, 'x')}) {
    INFO(id);
    CHECK(valid_id(id));
    CHECK_NOTHROW(validate_id(id));
  }
}

TEST_CASE("ids: what could be a path, an option or a control character is none") {
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string(".hidden"), std::string("-x"),
        std::string("--help"), std::string("a/b"), std::string("../x"), std::string("a b"),
        std::string("a\n"), std::string("a\0b", 3), std::string("caf\xc3\xa9"), std::string("a@b"),
        std::string("a:b"), std::string("a*"), std::string(129, 'x')}) {
    INFO(id);
    CHECK_FALSE(valid_id(id));
    const Error error = error_of([&] { validate_id(id); });
    CHECK(error.code == ErrorCode::usage);
    CHECK_FALSE(error.hint.empty());
  }
}

TEST_CASE("ids: a bad id is shown printable and short") {
  CHECK(error_of([] { validate_id("a\x1b[31m"); }).message == "container id 'a?[31m' is not valid");
  CHECK(error_of([] { validate_id(std::string(500, '/')); }).message ==
        "container id '" + std::string(40, '/') + "...' is not valid");
}
