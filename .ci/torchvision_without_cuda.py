"""Let torchvision be imported where there is no CUDA; a `.pth` file loads this when Python starts.

PyPI has torchvision built for CUDA only. Without CUDA its operators are missing, and its import fails because it
describes two of them. vLLM's vision models use its transforms, which are plain Python: declaring those two is enough.
"""

import importlib.abc
import sys


class _Declare(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            self.library = torch.library.Library("torchvision", "DEF")
            for operator in ("nms", "qnms"):
                self.library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            sys.modules[__name__].declared = self  # The operators live as long as the library.


sys.meta_path.insert(0, _Declare())
