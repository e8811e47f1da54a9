import numpy as np
import pytest

from models.evaluation.reports.thumbnails import BOX_COLOUR, THUMBNAIL_PX, make_thumbnail
from service.domain.face import Box


@pytest.mark.parametrize(("height", "width"), [(320, 640), (80, 40), (1, 5000)])
def test_a_thumbnail_is_a_square_with_the_whole_photograph_on_white(height: int, width: int) -> None:
    thumbnail = make_thumbnail(np.zeros((height, width, 3), np.uint8), [])

    scale = THUMBNAIL_PX / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    assert thumbnail.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    assert not thumbnail[:rows, :columns].any()
    assert (thumbnail[rows:] == 255).all()
    assert (thumbnail[:, columns:] == 255).all()


def test_boxes_are_drawn_where_the_faces_are() -> None:
    thumbnail = make_thumbnail(np.zeros((320, 320, 3), np.uint8), [Box(40, 80, 100, 120)])

    rows, columns = np.nonzero((thumbnail == BOX_COLOUR).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (40, 99, 20, 69)
