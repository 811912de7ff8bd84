"""The part of a form that helps with labels: new layers, and live counts of what is drawn."""

from html import escape
from pathlib import Path

from qgis.core import Qgis, QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgisInterface
from qgis.PyQt.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from ..core.classes import MapClass
from ..core.family import Family
from .class_list import ClassListDialog
from .field import Field
from .form import ParameterForm
from .label_counts import ClassCount, LabelCounter, count_warnings
from .models import suggested_path
from .project import pixel_metres
from .remark import Remark
from .training_layer import LayerError, new_area_layer, new_training_layer
from .words import tr

_AREA = "AREA"
_SUFFIX = ".gpkg"


class Labelling(QWidget):
    """Buttons and counts below the field `labels`, whose classes are in `class_field`."""

    def __init__(
        self,
        form: ParameterForm,
        family: Family,
        iface: QgisInterface,
        labels: Field,
        class_field: Field,
    ) -> None:
        """Lives in `form`."""
        super().__init__(form)
        self._form = form
        self._family = family
        self._iface = iface
        self._labels = labels
        self._class_field = class_field
        self.counts = Remark()
        self.warnings = Remark(problem=True)
        self.unsaved = Remark()
        self.new_labels = QPushButton(tr("New training layer …"))
        self.new_labels.clicked.connect(self._ask_classes)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.new_labels)
        self.new_area = QPushButton(tr("New survey area …"))
        self.new_area.setToolTip(tr("What was surveyed: outside it a pixel counts as unlabelled."))
        self.new_area.clicked.connect(self._make_area)
        self.new_area.setVisible(_AREA in form.fields)
        row.addWidget(self.new_area)
        row.addStretch(1)
        labels.add_below(self)
        labels.add_below(self.unsaved)
        class_field.add_below(self.counts)
        class_field.add_below(self.warnings)
        self._counter = LabelCounter(self)
        self._counter.counted.connect(self._show_counts)
        for field in (labels, class_field, *form.fields.values()):
            if field in (labels, class_field) or field.name == family.reference_role.key:
                field.changed.connect(self.watch)
        self.watch()

    def watch(self) -> None:
        """Count the layer that is chosen now."""
        layer = next(iter(self._labels.layers()), None)
        image = self._image()
        field = self._class_field
        self._counter.watch(
            layer if isinstance(layer, QgsVectorLayer) else None,
            "" if field.empty else str(field.value()),
            pixel_metres(image) if image is not None else 0.0,
        )

    def make_labels(self, path: str, classes: list[MapClass]) -> None:
        """Make the layer, choose it in the form, and let the user draw."""
        try:
            layer = new_training_layer(path, tr("Training areas"), classes, self._crs())
        except LayerError as error:
            self._iface.messageBar().pushMessage(
                "Terraweave", str(error), Qgis.MessageLevel.Warning
            )
            return
        self._form.fill(self._labels.name, layer.id())
        self._form.fill(self._class_field.name, "class")
        self._labels.touched = self._class_field.touched = True
        self._iface.setActiveLayer(layer)
        self._draw()

    def _ask_classes(self) -> None:
        count = 1 if self._family.binary else 3
        names = [f"{tr('Class')} {number}" for number in range(1, count + 1)]
        dialog = ClassListDialog(names, self._iface.mainWindow())
        accepted = dialog.exec()
        classes = dialog.classes()
        dialog.deleteLater()
        path = self._ask_path() if accepted and classes else ""
        if path:
            self.make_labels(path, classes)

    def _make_area(self) -> None:
        path = self._ask_path()
        if not path:
            return
        try:
            layer = new_area_layer(path, tr("Survey area"), self._crs())
        except LayerError as error:
            self._iface.messageBar().pushMessage(
                "Terraweave", str(error), Qgis.MessageLevel.Warning
            )
            return
        self._form.fill(_AREA, layer.id())
        self._iface.setActiveLayer(layer)
        self._draw()

    def _ask_path(self) -> str:
        folder = Path(suggested_path(self._family, "labels")).parent
        path, _ = QFileDialog.getSaveFileName(
            self, tr("New layer"), str(folder / f"labels{_SUFFIX}"), f"GeoPackage (*{_SUFFIX})"
        )
        return path if not path or path.endswith(_SUFFIX) else path + _SUFFIX

    def _draw(self) -> None:
        """Take up the tool for new polygons, where there is a desktop."""
        action = getattr(self._iface, "actionAddFeature", None)
        if action is not None and action() is not None:
            action().trigger()

    def _image(self) -> QgsRasterLayer | None:
        field = self._form.fields.get(self._family.reference_role.key)
        layers = field.layers() if field is not None else []
        return next((one for one in layers if isinstance(one, QgsRasterLayer)), None)

    def _crs(self) -> QgsCoordinateReferenceSystem:
        image = self._image()
        return image.crs() if image is not None else QgsProject.instance().crs()

    def _show_counts(self, counts: list[ClassCount]) -> None:
        parts = [f"{escape(one.name)} {int(one.pixels)}" for one in counts]
        layer = next(iter(self._labels.layers()), None)
        edited = isinstance(layer, QgsVectorLayer) and layer.isModified()
        self.unsaved.say(
            tr("Being edited: a run uses what is drawn now, saved or not.") if edited else ""
        )
        self.counts.say(f"{tr('Labelled pixels')}: {', '.join(parts)}" if parts else "")
        self.warnings.say("\n".join(count_warnings(counts)))
