"""Generated names."""

from __future__ import annotations

import re

import pytest

from local.deployer.naming import Naming
from local.errors import LocalError


def _naming(pattern: str) -> Naming:
    return Naming(pattern=pattern, project="shop", stack="local")


def test_a_name_follows_the_projects_pattern() -> None:
    name = _naming("${project}-${name}-${stack}-${hex(7)}").physical_name("OrderQueue")
    assert re.fullmatch(r"shop-OrderQueue-local-[0-9a-f]{7}", name)


def test_two_resources_of_one_name_differ() -> None:
    naming = _naming("${name}-${hex(7)}")
    assert naming.physical_name("page") != naming.physical_name("page")


def test_s3_and_rds_get_lower_case_letters_digits_and_hyphens() -> None:
    assert _naming("${name}-${stack}").lower_case_name("My Page_1") == "my-page-1-local"


def test_an_unknown_part_of_the_pattern_is_refused() -> None:
    with pytest.raises(LocalError, match=re.escape("${organization}")):
        _naming("${organization}-${name}").physical_name("page")
