"""Reading and writing pictures: every mode comes back as it went."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from mmsuper.data import image_io
from mmsuper.errors import UserError

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def make_pixels(channels, dtype=np.uint8, shape=(6, 9)):
    levels = np.iinfo(dtype).max
    random = np.random.default_rng(channels)
    return random.integers(0, levels, (*shape, channels), dtype, endpoint=True)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_round_trip_keeps_pixels_mode_depth_and_profile(tmp_path, mode, dtype, suffix):
    picture = image_io.Picture(make_pixels(len(mode), dtype), mode, PROFILE)
    path = tmp_path / f"picture{suffix}"
    image_io.write(path, picture)
    again = image_io.read(path)
    assert again.pixels.dtype == dtype
    if (mode, dtype) == ("LA", np.uint16):  # the one that changes
        assert again.mode == "RGBA"
        np.testing.assert_array_equal(again.pixels, picture.pixels[..., [0, 0, 0, 1]])
    else:
        assert again.mode == mode
        np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert again.icc_profile == PROFILE


def test_sixteen_bits_are_really_in_the_file(tmp_path):
    """An independent reader sees the same values: ours are not merely self-consistent."""
    import tifffile

    pixels = make_pixels(3, np.uint16)
    image_io.write(tmp_path / "a.tif", image_io.from_array(pixels))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), pixels)
    image_io.write(tmp_path / "a.png", image_io.from_array(pixels))
    high_bytes = np.asarray(Image.open(tmp_path / "a.png"))  # Pillow keeps these of 16-bit RGB
    np.testing.assert_array_equal(high_bytes, pixels >> 8)


def test_cmyk_stays_cmyk_in_tiff_and_jpeg(tmp_path):
    pixels = np.broadcast_to(np.array([200, 20, 90, 40], np.uint8), (16, 16, 4))
    picture = image_io.Picture(pixels, "CMYK", PROFILE)
    for name, tolerance in (("a.tif", 0), ("a.jpg", 3)):
        image_io.write(tmp_path / name, picture)
        again = image_io.read(tmp_path / name)
        assert again.mode == "CMYK"
        np.testing.assert_allclose(again.pixels, pixels, atol=tolerance)
        assert Image.open(tmp_path / name).mode == "CMYK"


def test_palette_and_bitmap_become_plain_modes(tmp_path):
    colours = Image.fromarray(make_pixels(3)).quantize(8)
    colours.save(tmp_path / "p.png")
    picture = image_io.read(tmp_path / "p.png")
    assert picture.mode == "RGB"
    np.testing.assert_array_equal(picture.pixels, np.asarray(colours.convert("RGB")))

    colours.save(tmp_path / "t.png", transparency=0)
    assert image_io.read(tmp_path / "t.png").mode == "RGBA"

    Image.fromarray(make_pixels(1)[..., 0] > 99).save(tmp_path / "b.png")
    bitmap = image_io.read(tmp_path / "b.png")
    assert bitmap.mode == "L"
    assert set(np.unique(bitmap.pixels)) == {0, 255}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_and_reset(tmp_path, orientation):
    upright = make_pixels(3)
    stored = Image.fromarray(upright)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpose that the tag undoes
    if orientation > 1:
        stored = stored.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker"
    stored.save(tmp_path / "a.png", exif=exif)

    picture = image_io.read(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.pixels, upright)

    for name, pixels in (("b.png", upright), ("c.png", upright.astype(np.uint16) * 257)):
        image_io.write(tmp_path / name, picture.with_pixels(pixels))
        written = Image.open(tmp_path / name).getexif()
        assert written.get(0x0112, 1) == 1
        assert written[0x010F] == "maker"


def test_orientation_of_a_16_bit_picture_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = make_pixels(3, np.uint16)
    picture = image_io.Picture(stored, "RGB", exif=exif.tobytes())
    image_io.write(tmp_path / "a.png", picture)
    np.testing.assert_array_equal(image_io.read(tmp_path / "a.png").pixels, np.rot90(stored, -1))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_truncated_file_is_named(tmp_path, name, dtype):
    path = tmp_path / name
    image_io.write(path, image_io.from_array(make_pixels(3, dtype, (64, 64))))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=name):
        image_io.read(path)


def test_what_is_no_picture_is_named(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.png is not a picture"):
        image_io.read(tmp_path / "text.png")
    with pytest.raises(UserError, match="no file at"):
        image_io.read(tmp_path / "missing.png")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(UserError, match=r"float\.tif.*mode F"):
        image_io.read(tmp_path / "float.tif")


def test_too_many_pixels_are_refused(tmp_path, monkeypatch):
    image_io.write(tmp_path / "a.png", image_io.from_array(make_pixels(1)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(UserError, match="million pixels"):
        image_io.read(tmp_path / "a.png")


def test_broken_exif_does_not_spoil_the_picture(tmp_path):
    Image.fromarray(make_pixels(3)).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*garbage here")
    assert image_io.read(tmp_path / "a.jpg").mode == "RGB"


def test_write_refuses_what_the_format_cannot_hold(tmp_path):
    rgba = image_io.from_array(make_pixels(4))
    with pytest.raises(UserError, match="JPEG cannot hold a picture of mode RGBA"):
        image_io.write(tmp_path / "a.jpg", rgba)
    with pytest.raises(UserError, match="name a file ending in"):
        image_io.write(tmp_path / "a.xyz", rgba)
    with pytest.raises(UserError, match="65500"):
        image_io.check_writable(tmp_path / "a.jpg", "RGB", (10, 70000))
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    image_io.write(path, image_io.from_array(make_pixels(3)))
    before = path.read_bytes()

    def disk_full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", disk_full)
    with pytest.raises(UserError, match="No space left"):
        image_io.write(path, image_io.from_array(make_pixels(3)))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_float_conversion_is_exact_both_ways():
    for dtype in (np.uint8, np.uint16):
        levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
        values = image_io.to_float(levels)
        assert values.dtype == np.float32
        assert (values[0], values[-1]) == (0, 1)
        np.testing.assert_array_equal(image_io.from_float(values, levels.dtype), levels)
    wild = np.array([-0.2, 1.7], np.float32)
    np.testing.assert_array_equal(image_io.from_float(wild, np.dtype(np.uint8)), [0, 255])
    with pytest.raises(UserError, match="NaN"):
        image_io.from_float(np.array([0.5, np.nan]), np.dtype(np.uint8))


def test_from_array_refuses_other_shapes_and_types():
    assert image_io.from_array(np.zeros((3, 4), np.uint8)).mode == "L"
    for bad in (np.zeros((3, 4, 5), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((3, 4))):
        with pytest.raises(UserError, match="a picture is an array"):
            image_io.from_array(bad)


def test_names_of_results(tmp_path):
    assert image_io.output_name(tmp_path / "a.JPG") == tmp_path / "a.JPG"
    assert image_io.output_name(tmp_path / "a.gif") == tmp_path / "a.gif.png"
