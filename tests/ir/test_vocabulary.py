"""The words that ONNX has for an operator, over all versions."""

from dovetail.ir.vocabulary import op_words


def test_names_of_all_versions_stand_in_the_order_of_the_newest() -> None:
    clip = op_words("Clip")
    assert clip is not None
    assert clip.inputs == ("input", "min", "max")
    assert clip.attributes["min"] == "FLOAT"  # an attribute until opset 11
    resize = op_words("Resize")
    assert resize is not None
    assert resize.inputs == ("X", "roi", "scales", "sizes")
    assert resize.attributes["mode"] == "STRING"


def test_attributes_have_types_and_variadic_inputs_are_told_apart() -> None:
    conv, concat = op_words("Conv"), op_words("Concat")
    assert conv is not None
    assert concat is not None
    assert (conv.attributes["strides"], conv.attributes["group"], conv.variadic) == ("INTS", "INT", False)
    assert (concat.inputs, concat.variadic) == (("inputs",), True)


def test_an_operator_that_onnx_lacks_has_no_words() -> None:
    assert op_words("Sorcery") is None
    assert op_words("Conv", "com.microsoft") is None
